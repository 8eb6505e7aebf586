-- The balance at the end of each day with transactions, and how many days it stood. Where the bank says a balance with each
-- transaction, it is that one; where it does not, it is counted back from today's, the newest transaction being the first.
WITH closings AS (
  SELECT connection_id, account_position, day, closing
  FROM closing_balances
  UNION ALL
  SELECT connection_id, account_position, day, closing
  FROM (
    SELECT
      t.connection_id,
      t.account_position,
      t.day,
      t.balance,
      b.posted - coalesce(sum(coalesce(t.credit, 0) - coalesce(t.debit, 0)) OVER (
        PARTITION BY t.connection_id, t.account_position ORDER BY t.position
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ), 0) AS closing,
      row_number() OVER (PARTITION BY t.connection_id, t.account_position, t.day ORDER BY t.position) AS from_the_end,
      count(t.balance) OVER (PARTITION BY t.connection_id, t.account_position) AS said
    FROM transactions t
    JOIN balances b ON b.connection_id = t.connection_id AND b.account_position = t.account_position
    WHERE t.day IS NOT NULL
  ) AS counted
  WHERE said = 0 AND from_the_end = 1 AND closing IS NOT NULL
)
SELECT
  connection_id,
  account_position,
  day,
  closing,
  date_diff('day', day, lead(day) OVER (PARTITION BY connection_id, account_position ORDER BY day)) AS stood_days
FROM closings
ORDER BY connection_id, account_position, day;
