-- What comes in each month, by currency: credits of everyday accounts whose description comes back in two months or more,
-- less what only moves or returns money. The words are a beginning: add your banks' own.
WITH credits AS (
  SELECT t.connection_id, a.currency, t.description, CAST(date_trunc('month', t.day) AS date) AS month, t.credit
  FROM transactions t
  JOIN accounts a ON a.connection_id = t.connection_id AND a.account_position = t.account_position
  WHERE a.category = 'Operations'
    AND t.credit IS NOT NULL
    AND NOT regexp_like(upper(t.description), 'TRANSFER|VIREMENT|WIRE|RETURN|RETOUR|REVERS|REFUND|REMBOURS|PAYMENT|PAIEMENT')
),
regular AS (
  SELECT connection_id, description
  FROM credits
  GROUP BY connection_id, description
  HAVING count(DISTINCT month) >= 2
)
SELECT c.connection_id, c.currency, c.month, sum(c.credit) AS income
FROM credits c
JOIN regular r ON r.connection_id = c.connection_id AND r.description = c.description
GROUP BY c.connection_id, c.currency, c.month
ORDER BY c.connection_id, c.currency, c.month;
