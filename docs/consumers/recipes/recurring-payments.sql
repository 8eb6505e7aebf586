-- Payments of the same amount under the same description, three times or more, each a month (27 to 32 days) after the one
-- before.
WITH payments AS (
  SELECT
    connection_id,
    account_position,
    description,
    debit,
    day,
    date_diff('day', lag(day) OVER (
      PARTITION BY connection_id, account_position, description, debit ORDER BY day
    ), day) AS days_since
  FROM transactions
  WHERE debit IS NOT NULL AND day IS NOT NULL AND description IS NOT NULL
)
SELECT connection_id, account_position, description, debit, count(*) AS times, max(day) AS last_day
FROM payments
GROUP BY connection_id, account_position, description, debit
HAVING count(*) >= 3 AND min(days_since) >= 27 AND max(days_since) <= 32
ORDER BY connection_id, account_position, description, debit;
