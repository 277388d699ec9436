-- Indexes, one row for each key; those of a primary key or unique constraint as well.
SELECT
    m.name AS relation,
    i.name AS name,
    i."unique" AS is_unique,
    i.origin AS origin,
    coalesce(k.name, '') AS "column",
    k.desc AS descending,
    coalesce(k.coll, '') AS collation
FROM sqlite_master AS m
JOIN pragma_index_list(m.name) AS i
JOIN pragma_index_xinfo(i.name) AS k
WHERE m.type = 'table' AND m.rootpage <> 0 AND k.key = 1
ORDER BY m.name, i.name, k.seqno
