-- Triggers of users, and the server's own of a foreign key where somebody switched them off
-- (DISABLE TRIGGER ALL): that foreign key is not enforced any more.
SELECT
    t.tgrelid::bigint AS relation,
    t.tgname::text AS name,
    CASE WHEN t.tgisinternal THEN 'enforces ' || coalesce(c.conname::text, '')
         ELSE pg_get_triggerdef(t.oid) END AS definition,
    t.tgenabled <> 'D' AS enabled
FROM pg_trigger AS t
LEFT JOIN pg_constraint AS c ON c.oid = t.tgconstraint
WHERE t.tgrelid = ANY (%(tables)s::oid[])
  AND (NOT t.tgisinternal OR t.tgenabled = 'D')
ORDER BY t.tgrelid, t.tgname
