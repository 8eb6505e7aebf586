-- For Amazon Athena, in a database of its own: one connection at a time, and no other drop is listed, read or paid for.
-- Replace DROP_BUCKET, run both statements, then those of athena.sql from `documents` on, views.sql and unread.sql.
-- Every query must say whose data it is about: WHERE connection_id = 'con_...'. Without that, Athena refuses it.

CREATE EXTERNAL TABLE objects (body string)
PARTITIONED BY (connection_id string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' LINES TERMINATED BY '\n'
STORED AS TEXTFILE
LOCATION 's3://DROP_BUCKET/accounts/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.connection_id.type' = 'injected',
  'storage.location.template' = 's3://DROP_BUCKET/accounts/v1/${connection_id}/'
);

CREATE OR REPLACE VIEW drops AS
SELECT connection_id, "$path" AS path, body
FROM objects;
