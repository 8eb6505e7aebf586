-- Accounts, holders, balances and transactions, the same text for Athena and DuckDB. What a bank leaves out is null;
-- amounts are exact to ten decimals.

CREATE OR REPLACE VIEW accounts AS
SELECT
  connection_id,
  generation,
  json_extract_scalar(account, '$.Id') AS account_id,
  json_extract_scalar(account, '$.Title') AS title,
  json_extract_scalar(account, '$.Category') AS category,
  json_extract_scalar(account, '$.Type') AS type,
  json_extract_scalar(account, '$.AccountType') AS account_type,
  json_extract_scalar(account, '$.Currency') AS currency,
  json_extract_scalar(account, '$.InstitutionNumber') AS institution_number,
  json_extract_scalar(account, '$.TransitNumber') AS transit_number,
  json_extract_scalar(account, '$.AccountNumber') AS account_number,
  json_extract_scalar(account, '$.LastFourDigits') AS last_four_digits
FROM account_documents;

-- Holder is an object, or only a name.
CREATE OR REPLACE VIEW holders AS
SELECT
  connection_id,
  generation,
  json_extract_scalar(account, '$.Id') AS account_id,
  coalesce(json_extract_scalar(account, '$.Holder.Name'), json_extract_scalar(account, '$.Holder')) AS name,
  json_extract_scalar(account, '$.Holder.Email') AS email,
  json_extract_scalar(account, '$.Holder.PhoneNumber') AS phone_number,
  json_extract_scalar(account, '$.Holder.Address.CivicAddress') AS civic_address,
  json_extract_scalar(account, '$.Holder.Address.City') AS city,
  json_extract_scalar(account, '$.Holder.Address.Province') AS province,
  json_extract_scalar(account, '$.Holder.Address.PostalCode') AS postal_code,
  json_extract_scalar(account, '$.Holder.Address.POBox') AS po_box,
  json_extract_scalar(account, '$.Holder.Address.Country') AS country
FROM account_documents;

CREATE OR REPLACE VIEW balances AS
SELECT
  connection_id,
  generation,
  json_extract_scalar(account, '$.Id') AS account_id,
  json_extract_scalar(account, '$.Currency') AS currency,
  TRY_CAST(json_extract_scalar(account, '$.Balance.Current') AS DECIMAL(38, 10)) AS posted,
  TRY_CAST(json_extract_scalar(account, '$.Balance.Available') AS DECIMAL(38, 10)) AS available,
  TRY_CAST(json_extract_scalar(account, '$.Balance.Limit') AS DECIMAL(38, 10)) AS credit_limit,
  TRY_CAST(json_extract_scalar(account, '$.OverdraftLimit') AS DECIMAL(38, 10)) AS overdraft_limit
FROM account_documents;

-- Days come as YYYY-MM-DD, as YYYY/MM/DD and with a time. A debit or credit of 0 means that there is none; both may
-- be there.
CREATE OR REPLACE VIEW transactions AS
SELECT
  connection_id,
  generation,
  account_id,
  json_extract_scalar(entry, '$.Id') AS transaction_id,
  TRY_CAST(replace(substr(json_extract_scalar(entry, '$.Date'), 1, 10), '/', '-') AS DATE) AS day,
  json_extract_scalar(entry, '$.Description') AS description,
  nullif(TRY_CAST(json_extract_scalar(entry, '$.Debit') AS DECIMAL(38, 10)), 0) AS debit,
  nullif(TRY_CAST(json_extract_scalar(entry, '$.Credit') AS DECIMAL(38, 10)), 0) AS credit,
  TRY_CAST(json_extract_scalar(entry, '$.Balance') AS DECIMAL(38, 10)) AS balance
FROM transaction_documents;

-- What was there and could not be read. Empty, or a bank has found another way to write it: tell us.
CREATE OR REPLACE VIEW unread AS
SELECT connection_id, generation, account_id, json_extract_scalar(entry, '$.Id') AS transaction_id
FROM transaction_documents
WHERE (
    TRY_CAST(json_extract_scalar(entry, '$.Debit') AS DECIMAL(38, 10)) IS NULL
    AND json_extract_scalar(entry, '$.Debit') <> ''
  ) OR (
    TRY_CAST(json_extract_scalar(entry, '$.Credit') AS DECIMAL(38, 10)) IS NULL
    AND json_extract_scalar(entry, '$.Credit') <> ''
  ) OR (
    TRY_CAST(replace(substr(json_extract_scalar(entry, '$.Date'), 1, 10), '/', '-') AS DATE) IS NULL
    AND json_extract_scalar(entry, '$.Date') <> ''
  );
