-- Fees for a payment that bounced (NSF) that no incoming E-TRANSFER followed within three days.
SELECT fee.connection_id, fee.account_position, fee.day, fee.debit AS fee
FROM transactions fee
WHERE fee.debit IS NOT NULL
  AND regexp_like(upper(fee.description), '(^|[^A-Z])(NSF|INSUFFICIENT FUNDS|SANS PROVISION)([^A-Z]|$)')
  AND NOT EXISTS (
    SELECT 1
    FROM transactions help
    WHERE help.connection_id = fee.connection_id
      AND help.credit IS NOT NULL
      AND regexp_like(upper(help.description), 'E-TRANSFER|VIREMENT INTERAC')
      AND date_diff('day', fee.day, help.day) BETWEEN 0 AND 3
  )
ORDER BY fee.connection_id, fee.account_position, fee.day;
