-- The drops where they lie, for DuckDB. First: SET VARIABLE drops = '.../accounts/v1/*/*.json.gz' (s3:// with httpfs).
-- Then this file, then views.sql.

CREATE OR REPLACE MACRO json_extract_scalar(document, path) AS
  CASE WHEN json_type(document, path) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(document, path) END;

CREATE OR REPLACE VIEW drops AS
SELECT filename, CAST(json AS varchar) AS body
FROM read_json_objects(getvariable('drops'), filename = true, format = 'unstructured', maximum_object_size = 33554432);

-- Numbers become text here, so that no JSON function makes them binary floats on the way.
CREATE OR REPLACE VIEW documents AS
SELECT
  regexp_extract(filename, 'accounts/v1/([^/]+)/', 1) AS connection_id,
  CAST(regexp_extract(filename, '([0-9]+)[.]json[.]gz$', 1) AS integer) AS generation,
  regexp_replace(body, '([^\\]":)(-?[0-9][0-9.eE+-]*)', '\1"\2"', 'g') AS document
FROM drops;

-- Of each connection, the latest generation that has data.
CREATE OR REPLACE VIEW current_documents AS
SELECT connection_id, generation, document
FROM (SELECT *, max(generation) OVER (PARTITION BY connection_id) AS latest FROM documents) AS ranked
WHERE generation = latest;

CREATE OR REPLACE VIEW account_documents AS
SELECT connection_id, generation, account
FROM current_documents CROSS JOIN UNNEST(CAST(json_extract(document, '$.Accounts') AS JSON[])) AS each_of (account);

CREATE OR REPLACE VIEW transaction_documents AS
SELECT connection_id, generation, json_extract_scalar(account, '$.Id') AS account_id, entry
FROM account_documents CROSS JOIN UNNEST(CAST(json_extract(account, '$.Transactions') AS JSON[])) AS each_of (entry);
