-- Connections, accounts, holders, balances and transactions, the same text for Athena and DuckDB. What a bank leaves
-- out is null, and so is what cannot be read: `unread` (unread.sql) names it. Amounts are exact to ten decimals.
--
-- `account_position` and `position` count from 1 in the order of the document. Join by connection_id and
-- account_position: no bank can leave those out.

-- Whose data it is and of when, in UTC; last_refresh is null for never.
CREATE OR REPLACE VIEW connections AS
SELECT
  connection_id,
  generation,
  json_extract_scalar(document, '$.flinksLanding.owner') AS owner,
  coalesce(
    json_extract_scalar(document, '$.Institution'), json_extract_scalar(document, '$.flinksLanding.institution')
  ) AS institution,
  TRY_CAST(
    replace(substr(json_extract_scalar(document, '$.flinksLanding.fetchedAt'), 1, 23), 'T', ' ') AS TIMESTAMP
  ) AS fetched_at,
  TRY_CAST(
    nullif(replace(substr(json_extract_scalar(document, '$.Login.LastRefresh'), 1, 19), 'T', ' '), '0001-01-01 00:00:00')
    AS TIMESTAMP
  ) AS last_refresh
FROM documents;

CREATE OR REPLACE VIEW accounts AS
SELECT
  connection_id,
  generation,
  position AS account_position,
  json_extract_scalar(element, '$.Id') AS account_id,
  json_extract_scalar(element, '$.Title') AS title,
  json_extract_scalar(element, '$.Category') AS category,
  json_extract_scalar(element, '$.Type') AS type,
  json_extract_scalar(element, '$.AccountType') AS account_type,
  json_extract_scalar(element, '$.Currency') AS currency,
  json_extract_scalar(element, '$.InstitutionNumber') AS institution_number,
  json_extract_scalar(element, '$.TransitNumber') AS transit_number,
  json_extract_scalar(element, '$.AccountNumber') AS account_number,
  json_extract_scalar(element, '$.LastFourDigits') AS last_four_digits
FROM account_objects;

-- Holder is an object, or only a name.
CREATE OR REPLACE VIEW holders AS
SELECT
  connection_id,
  generation,
  position AS account_position,
  json_extract_scalar(element, '$.Id') AS account_id,
  coalesce(json_extract_scalar(element, '$.Holder.Name'), json_extract_scalar(element, '$.Holder')) AS name,
  json_extract_scalar(element, '$.Holder.Email') AS email,
  json_extract_scalar(element, '$.Holder.PhoneNumber') AS phone_number,
  json_extract_scalar(element, '$.Holder.Address.CivicAddress') AS civic_address,
  json_extract_scalar(element, '$.Holder.Address.City') AS city,
  json_extract_scalar(element, '$.Holder.Address.Province') AS province,
  json_extract_scalar(element, '$.Holder.Address.PostalCode') AS postal_code,
  json_extract_scalar(element, '$.Holder.Address.POBox') AS po_box,
  json_extract_scalar(element, '$.Holder.Address.Country') AS country
FROM account_objects;

CREATE OR REPLACE VIEW balances AS
SELECT
  connection_id,
  generation,
  account_position,
  account_id,
  currency,
  TRY_CAST(regexp_extract(posted, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)) AS posted,
  TRY_CAST(regexp_extract(available, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)) AS available,
  TRY_CAST(regexp_extract(credit_limit, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)) AS credit_limit,
  TRY_CAST(regexp_extract(overdraft_limit, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)) AS overdraft_limit
FROM (
  SELECT
    connection_id,
    generation,
    position AS account_position,
    json_extract_scalar(element, '$.Id') AS account_id,
    json_extract_scalar(element, '$.Currency') AS currency,
    json_extract_scalar(element, '$.Balance.Current') AS posted,
    json_extract_scalar(element, '$.Balance.Available') AS available,
    json_extract_scalar(element, '$.Balance.Limit') AS credit_limit,
    json_extract_scalar(element, '$.OverdraftLimit') AS overdraft_limit
  FROM account_objects
) AS said;

-- Days come as YYYY-MM-DD, as YYYY/MM/DD and with a time. A debit or credit of 0 means that there is none; both may
-- be there.
CREATE OR REPLACE VIEW transactions AS
SELECT
  connection_id,
  generation,
  account_position,
  account_id,
  position,
  transaction_id,
  TRY_CAST(replace(regexp_extract(day, '^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}'), '/', '-') AS DATE) AS day,
  description,
  nullif(TRY_CAST(regexp_extract(debit, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)), 0) AS debit,
  nullif(TRY_CAST(regexp_extract(credit, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)), 0) AS credit,
  TRY_CAST(regexp_extract(balance, '^-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?$') AS DECIMAL(38, 10)) AS balance
FROM (
  SELECT
    connection_id,
    generation,
    account_position,
    account_id,
    position,
    json_extract_scalar(element, '$.Id') AS transaction_id,
    json_extract_scalar(element, '$.Date') AS day,
    json_extract_scalar(element, '$.Description') AS description,
    json_extract_scalar(element, '$.Debit') AS debit,
    json_extract_scalar(element, '$.Credit') AS credit,
    json_extract_scalar(element, '$.Balance') AS balance
  FROM transaction_elements
  WHERE json_format(element) LIKE '{%'
) AS said;

-- The balance that an account had at the end of a day, of the days with transactions that say a balance. Of one day,
-- the last to be booked is the first in the document where the newest come first, as a rule, and else the last.
CREATE OR REPLACE VIEW closing_balances AS
SELECT connection_id, generation, account_position, account_id, day, balance AS closing
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY connection_id, account_position, day
      ORDER BY CASE WHEN first_day >= last_day THEN position ELSE -position END
    ) AS from_the_end
  FROM (
    SELECT
      *,
      first_value(day) OVER (
        PARTITION BY connection_id, account_position ORDER BY position
      ) AS first_day,
      first_value(day) OVER (
        PARTITION BY connection_id, account_position ORDER BY position DESC
      ) AS last_day
    FROM transactions
    WHERE day IS NOT NULL AND balance IS NOT NULL
  ) AS dated
) AS ordered
WHERE from_the_end = 1;
