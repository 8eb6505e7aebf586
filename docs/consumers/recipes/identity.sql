-- Who holds which account, where they live, and the numbers for an electronic transfer (EFT): institution, transit, account.
-- Leading zeros stay.
SELECT
  a.connection_id,
  a.account_position,
  h.name,
  h.civic_address,
  h.city,
  h.province,
  h.postal_code,
  h.country,
  h.email,
  h.phone_number,
  a.institution_number,
  a.transit_number,
  a.account_number
FROM accounts a
JOIN holders h ON h.connection_id = a.connection_id AND h.account_position = a.account_position
ORDER BY a.connection_id, a.account_position;
