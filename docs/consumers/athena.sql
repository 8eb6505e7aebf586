-- The drops where they lie, for Amazon Athena (engine version 3). Replace DROP_BUCKET, run the statements one by one,
-- then those of views.sql. Nothing is copied but what a query answers.

-- A drop is one line of JSON, read as text: its members vary more than a column's type could.
CREATE EXTERNAL TABLE drops (body string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' LINES TERMINATED BY '\n'
STORED AS TEXTFILE
LOCATION 's3://DROP_BUCKET/accounts/v1/';

-- Numbers become text here, so that no JSON function makes them binary floats on the way.
CREATE OR REPLACE VIEW documents AS
SELECT
  regexp_extract("$path", 'accounts/v1/([^/]+)/', 1) AS connection_id,
  CAST(regexp_extract("$path", '([0-9]+)[.]json[.]gz$', 1) AS integer) AS generation,
  regexp_replace(body, '([^\\]":)(-?[0-9][0-9.eE+-]*)', '$1"$2"') AS document
FROM drops;

-- Of each connection, the latest generation that has data.
CREATE OR REPLACE VIEW current_documents AS
SELECT connection_id, generation, document
FROM (SELECT *, max(generation) OVER (PARTITION BY connection_id) AS latest FROM documents) AS ranked
WHERE generation = latest;

CREATE OR REPLACE VIEW account_documents AS
SELECT connection_id, generation, account
FROM current_documents CROSS JOIN UNNEST(CAST(json_extract(document, '$.Accounts') AS ARRAY(JSON))) AS each_of (account);

CREATE OR REPLACE VIEW transaction_documents AS
SELECT connection_id, generation, json_extract_scalar(account, '$.Id') AS account_id, entry
FROM account_documents CROSS JOIN UNNEST(CAST(json_extract(account, '$.Transactions') AS ARRAY(JSON))) AS each_of (entry);
