-- What stood in a drop in another shape than docs/contracts/drop.v1.schema.json allows; made from that file by
-- `make contracts`. Empty, or a bank has found another way to write something: tell us. `place` is a JSON path, `found`
-- what stood there (a number may have stood in quotes); no value is shown. The same text for Athena and DuckDB.

CREATE OR REPLACE VIEW misfits AS
SELECT connection_id, generation, within, said
FROM (
  SELECT
    connection_id,
    generation,
    '$' AS within,
    CASE
      WHEN json_format(document) IS NULL THEN '!'
      WHEN json_format(document) NOT LIKE '{%' THEN substr(json_format(document), 1, 1)
      ELSE ''
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding')), '^([{])')
        THEN ' .flinksLanding' || substr(json_format(json_extract(document, '$.flinksLanding')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.connectionId')), '^(")')
        THEN ' .flinksLanding.connectionId' || substr(json_format(json_extract(document, '$.flinksLanding.connectionId')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.generation')), '^(-?[0-9]+$)')
        THEN ' .flinksLanding.generation' || substr(json_format(json_extract(document, '$.flinksLanding.generation')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.owner')), '^("|null$)')
        THEN ' .flinksLanding.owner' || substr(json_format(json_extract(document, '$.flinksLanding.owner')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.institution')), '^("|null$)')
        THEN ' .flinksLanding.institution' || substr(json_format(json_extract(document, '$.flinksLanding.institution')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.fetchedAt')), '^(")')
        THEN ' .flinksLanding.fetchedAt' || substr(json_format(json_extract(document, '$.flinksLanding.fetchedAt')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.flinksLanding.lastRefresh')), '^("|null$)')
        THEN ' .flinksLanding.lastRefresh' || substr(json_format(json_extract(document, '$.flinksLanding.lastRefresh')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.HttpStatusCode')), '^(-?[0-9]+$)')
        THEN ' .HttpStatusCode' || substr(json_format(json_extract(document, '$.HttpStatusCode')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Accounts')), '^(\[)')
        THEN ' .Accounts' || substr(json_format(json_extract(document, '$.Accounts')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Login')), '^([{]|null$)')
        THEN ' .Login' || substr(json_format(json_extract(document, '$.Login')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Login.LastRefresh')), '^("|null$)')
        THEN ' .Login.LastRefresh' || substr(json_format(json_extract(document, '$.Login.LastRefresh')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Login.IsScheduledRefresh')), '^((true|false)$|null$)')
        THEN ' .Login.IsScheduledRefresh' || substr(json_format(json_extract(document, '$.Login.IsScheduledRefresh')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Login.Type')), '^("|null$)')
        THEN ' .Login.Type' || substr(json_format(json_extract(document, '$.Login.Type')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.Institution')), '^("|null$)')
        THEN ' .Institution' || substr(json_format(json_extract(document, '$.Institution')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.InstitutionName')), '^("|null$)')
        THEN ' .InstitutionName' || substr(json_format(json_extract(document, '$.InstitutionName')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(document, '$.InstitutionId')), '^(-?[0-9]+$|null$)')
        THEN ' .InstitutionId' || substr(json_format(json_extract(document, '$.InstitutionId')), 1, 1)
        ELSE ''
      END
    END AS said
  FROM documents
  UNION ALL
  SELECT
    connection_id,
    generation,
    '$.Accounts[' || CAST(position - 1 AS varchar) || ']' AS within,
    CASE
      WHEN json_format(element) IS NULL THEN 'n'
      WHEN json_format(element) NOT LIKE '{%' THEN substr(json_format(element), 1, 1)
      ELSE ''
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Id')), '^("|null$)')
        THEN ' .Id' || substr(json_format(json_extract(element, '$.Id')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Title')), '^("|null$)')
        THEN ' .Title' || substr(json_format(json_extract(element, '$.Title')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Category')), '^("|null$)')
        THEN ' .Category' || substr(json_format(json_extract(element, '$.Category')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Type')), '^("|null$)')
        THEN ' .Type' || substr(json_format(json_extract(element, '$.Type')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.AccountType')), '^("|null$)')
        THEN ' .AccountType' || substr(json_format(json_extract(element, '$.AccountType')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Currency')), '^("|null$)')
        THEN ' .Currency' || substr(json_format(json_extract(element, '$.Currency')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.TransitNumber')), '^("|null$)')
        THEN ' .TransitNumber' || substr(json_format(json_extract(element, '$.TransitNumber')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.InstitutionNumber')), '^("|null$)')
        THEN ' .InstitutionNumber' || substr(json_format(json_extract(element, '$.InstitutionNumber')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.AccountNumber')), '^("|null$)')
        THEN ' .AccountNumber' || substr(json_format(json_extract(element, '$.AccountNumber')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.LastFourDigits')), '^("|null$)')
        THEN ' .LastFourDigits' || substr(json_format(json_extract(element, '$.LastFourDigits')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.OverdraftLimit')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.OverdraftLimit')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .OverdraftLimit' || CASE WHEN regexp_like(json_format(json_extract(element, '$.OverdraftLimit')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.OverdraftLimit')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Balance')), '^([{]|null$)')
        THEN ' .Balance' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Balance')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Balance')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Balance.Available')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Balance.Available')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Balance.Available' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Balance.Available')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Balance.Available')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Balance.Current')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Balance.Current')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Balance.Current' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Balance.Current')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Balance.Current')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Balance.Limit')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Balance.Limit')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Balance.Limit' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Balance.Limit')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Balance.Limit')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder')), '^("|[{]|null$)')
        THEN ' .Holder' || substr(json_format(json_extract(element, '$.Holder')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Name')), '^("|null$)')
        THEN ' .Holder.Name' || substr(json_format(json_extract(element, '$.Holder.Name')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Email')), '^("|null$)')
        THEN ' .Holder.Email' || substr(json_format(json_extract(element, '$.Holder.Email')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.PhoneNumber')), '^("|null$)')
        THEN ' .Holder.PhoneNumber' || substr(json_format(json_extract(element, '$.Holder.PhoneNumber')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address')), '^([{]|null$)')
        THEN ' .Holder.Address' || substr(json_format(json_extract(element, '$.Holder.Address')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.CivicAddress')), '^("|null$)')
        THEN ' .Holder.Address.CivicAddress' || substr(json_format(json_extract(element, '$.Holder.Address.CivicAddress')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.City')), '^("|null$)')
        THEN ' .Holder.Address.City' || substr(json_format(json_extract(element, '$.Holder.Address.City')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.Province')), '^("|null$)')
        THEN ' .Holder.Address.Province' || substr(json_format(json_extract(element, '$.Holder.Address.Province')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.PostalCode')), '^("|null$)')
        THEN ' .Holder.Address.PostalCode' || substr(json_format(json_extract(element, '$.Holder.Address.PostalCode')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.POBox')), '^("|null$)')
        THEN ' .Holder.Address.POBox' || substr(json_format(json_extract(element, '$.Holder.Address.POBox')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Holder.Address.Country')), '^("|null$)')
        THEN ' .Holder.Address.Country' || substr(json_format(json_extract(element, '$.Holder.Address.Country')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Transactions')), '^(\[|null$)')
        THEN ' .Transactions' || substr(json_format(json_extract(element, '$.Transactions')), 1, 1)
        ELSE ''
      END
    END AS said
  FROM account_elements
  UNION ALL
  SELECT
    connection_id,
    generation,
    '$.Accounts[' || CAST(account_position - 1 AS varchar) || '].Transactions[' || CAST(position - 1 AS varchar) || ']' AS within,
    CASE
      WHEN json_format(element) IS NULL THEN 'n'
      WHEN json_format(element) NOT LIKE '{%' THEN substr(json_format(element), 1, 1)
      ELSE ''
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Id')), '^("|null$)')
        THEN ' .Id' || substr(json_format(json_extract(element, '$.Id')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Date')) <> 'null' AND TRY_CAST(replace(regexp_extract(json_format(json_extract(element, '$.Date')), '^"([0-9]{4}[-/][0-9]{2}[-/][0-9]{2})', 1), '/', '-') AS DATE) IS NULL
        THEN ' .Date' || substr(json_format(json_extract(element, '$.Date')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Description')), '^("|null$)')
        THEN ' .Description' || substr(json_format(json_extract(element, '$.Description')), 1, 1)
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Debit')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Debit')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Debit' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Debit')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Debit')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Credit')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Credit')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Credit' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Credit')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Credit')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN json_format(json_extract(element, '$.Balance')) <> 'null' AND TRY_CAST(regexp_extract(json_format(json_extract(element, '$.Balance')), '^"(-?[0-9]+([.][0-9]{1,10}0*)?([eE][+]?[0-9]{1,2})?)"$', 1) AS DECIMAL(38, 10)) IS NULL
        THEN ' .Balance' || CASE WHEN regexp_like(json_format(json_extract(element, '$.Balance')), '^"-?[0-9][0-9.eE+-]*"$') THEN '0' ELSE substr(json_format(json_extract(element, '$.Balance')), 1, 1) END
        ELSE ''
      END
      || CASE
        WHEN NOT regexp_like(json_format(json_extract(element, '$.Code')), '^("|-?[0-9]|null$)')
        THEN ' .Code' || substr(json_format(json_extract(element, '$.Code')), 1, 1)
        ELSE ''
      END
    END AS said
  FROM transaction_elements
) AS told
WHERE said <> '';

CREATE OR REPLACE VIEW unread AS
SELECT
  connection_id,
  generation,
  within || substr(misfit, 1, length(misfit) - 1) AS place,
  CASE substr(misfit, length(misfit), 1)
    WHEN '{' THEN 'object'
    WHEN '[' THEN 'array'
    WHEN '"' THEN 'text'
    WHEN 't' THEN 'boolean'
    WHEN 'f' THEN 'boolean'
    WHEN 'n' THEN 'null'
    WHEN '!' THEN 'no JSON'
    ELSE 'number'
  END AS found
FROM misfits CROSS JOIN UNNEST(split(said, ' ')) AS each_of (misfit)
WHERE misfit <> '';
