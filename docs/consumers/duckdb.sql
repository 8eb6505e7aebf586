-- The drops where they lie, for DuckDB. First: SET VARIABLE drops = '.../accounts/v1/*/*.json.gz' (s3:// with httpfs);
-- for one connection: '.../accounts/v1/con_…/*.json.gz', and nobody else's drop is opened. Then this file, then views.sql.

-- Athena's functions, so that views.sql is the same for both.
CREATE OR REPLACE MACRO json_format(document) AS CAST(document AS varchar);
CREATE OR REPLACE MACRO json_extract_scalar(document, path) AS
  CASE WHEN json_type(document, path) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(document, path) END;
CREATE OR REPLACE MACRO regexp_like(text, pattern) AS regexp_matches(text, pattern);

-- Of each connection, the drop of the latest generation: by the names alone, so that no other is opened. Say it again
-- to see what has come and gone since.
SET VARIABLE current_drops = (
  SELECT list(latest) FROM (
    SELECT max(file) AS latest
    FROM glob(getvariable('drops'))
    GROUP BY regexp_extract(file, 'accounts/v1/([^/]+)/', 1)
  )
);

-- A drop is one line of JSON; what is none has no document. Amounts become text, so that no JSON function makes them
-- binary floats on the way.
CREATE OR REPLACE VIEW documents AS
SELECT
  regexp_extract(filename, 'accounts/v1/([^/]+)/', 1) AS connection_id,
  CAST(regexp_extract(filename, '([0-9]+)[.]json[.]gz$', 1) AS integer) AS generation,
  regexp_replace(
    CAST(json AS varchar),
    '"(Debit|Credit|Balance|Available|Current|Limit|OverdraftLimit)":[[:space:]]*(-?[0-9][0-9.eE+-]*)',
    '"\1":"\2"',
    'g'
  ) AS document
FROM read_json_objects(
  getvariable('current_drops'),
  filename = true,
  format = 'newline_delimited',
  ignore_errors = true,
  maximum_object_size = 33554432
);

CREATE OR REPLACE VIEW account_elements AS
SELECT connection_id, generation, generate_subscripts(elements, 1) AS position, unnest(elements) AS element
FROM (
  SELECT connection_id, generation, TRY_CAST(json_extract(document, '$.Accounts') AS JSON[]) AS elements
  FROM documents
) AS lists;

-- Not by WHERE, for which DuckDB would gather 2,048 whole accounts at once.
CREATE OR REPLACE VIEW account_objects AS
SELECT
  connection_id,
  generation,
  position,
  unnest(CASE WHEN json_format(element) LIKE '{%' THEN [element] END) AS element
FROM account_elements;

CREATE OR REPLACE VIEW transaction_elements AS
SELECT
  connection_id,
  generation,
  account_position,
  account_id,
  generate_subscripts(elements, 1) AS position,
  unnest(elements) AS element
FROM (
  SELECT
    connection_id,
    generation,
    position AS account_position,
    json_extract_scalar(element, '$.Id') AS account_id,
    TRY_CAST(json_extract(element, '$.Transactions') AS JSON[]) AS elements
  FROM account_elements
) AS lists;
