-- The drops where they lie, for Amazon Athena (engine version 3). Replace DROP_BUCKET, run the statements one by one,
-- then those of views.sql and unread.sql. Nothing is copied but what a query answers.

-- A drop is one line of JSON, read as text: its members vary more than a column's type could.
CREATE EXTERNAL TABLE objects (body string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' LINES TERMINATED BY '\n'
STORED AS TEXTFILE
LOCATION 's3://DROP_BUCKET/accounts/v1/';

CREATE OR REPLACE VIEW drops AS
SELECT regexp_extract("$path", 'accounts/v1/([^/]+)/', 1) AS connection_id, "$path" AS path, body
FROM objects;

-- One connection without reading the others: in a second database, make the table and the view of
-- athena-by-connection.sql instead of these two. What follows is the same.

-- Of each connection, the drop of the latest generation. What is no JSON has no document. Amounts become text, so that
-- no JSON function makes them binary floats on the way.
CREATE OR REPLACE VIEW documents AS
SELECT
  connection_id,
  CAST(regexp_extract(path, '([0-9]+)[.]json[.]gz$', 1) AS integer) AS generation,
  TRY(json_parse(regexp_replace(
    body,
    '"(Debit|Credit|Balance|Available|Current|Limit|OverdraftLimit)":[[:space:]]*(-?[0-9][0-9.eE+-]*)',
    '"$1":"$2"'
  ))) AS document
FROM (
  SELECT connection_id, max(path) AS path, max_by(body, path) AS body
  FROM drops
  GROUP BY connection_id
) AS latest;

CREATE OR REPLACE VIEW account_elements AS
SELECT connection_id, generation, position, element
FROM (
  SELECT connection_id, generation, TRY_CAST(json_extract(document, '$.Accounts') AS ARRAY(JSON)) AS elements
  FROM documents
) AS lists
CROSS JOIN UNNEST(elements) WITH ORDINALITY AS each_of (element, position);

CREATE OR REPLACE VIEW account_objects AS
SELECT connection_id, generation, position, element
FROM account_elements
WHERE json_format(element) LIKE '{%';

CREATE OR REPLACE VIEW transaction_elements AS
SELECT connection_id, generation, account_position, account_id, position, element
FROM (
  SELECT
    connection_id,
    generation,
    position AS account_position,
    json_extract_scalar(element, '$.Id') AS account_id,
    TRY_CAST(json_extract(element, '$.Transactions') AS ARRAY(JSON)) AS elements
  FROM account_elements
) AS lists
CROSS JOIN UNNEST(elements) WITH ORDINALITY AS each_of (element, position);
