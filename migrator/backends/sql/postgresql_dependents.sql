-- What names a column, so that ALTER COLUMN … TYPE is refused
-- (src/backend/commands/tablecmds.c, RememberAllDependentForRebuilding).
SELECT DISTINCT
    CASE d.classid
        WHEN 'pg_rewrite'::regclass THEN
            CASE v.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule' END
        WHEN 'pg_trigger'::regclass THEN 'trigger'
        WHEN 'pg_policy'::regclass THEN 'policy'
        WHEN 'pg_proc'::regclass THEN 'function'
        ELSE 'generated column'
    END AS kind,
    CASE WHEN v.relkind IN ('v', 'm') AND n.nspname <> current_schema() THEN n.nspname ELSE '' END
        AS schema,
    CASE d.classid
        WHEN 'pg_rewrite'::regclass THEN
            CASE WHEN v.relkind IN ('v', 'm') THEN v.relname ELSE r.rulename END
        WHEN 'pg_trigger'::regclass THEN t.tgname
        WHEN 'pg_policy'::regclass THEN p.polname
        WHEN 'pg_proc'::regclass THEN f.proname
        ELSE g.attname
    END AS name
FROM pg_attribute AS a
JOIN pg_depend AS d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class AS v ON v.oid = r.ev_class
LEFT JOIN pg_namespace AS n ON n.oid = v.relnamespace
LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_policy AS p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_proc AS f ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid
LEFT JOIN pg_attrdef AS e
    ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid AND e.adnum <> a.attnum
LEFT JOIN pg_attribute AS g ON g.attrelid = e.adrelid AND g.attnum = e.adnum
WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = %(column)s AND NOT a.attisdropped
    AND COALESCE(r.oid, t.oid, p.oid, f.oid, e.oid) IS NOT NULL
ORDER BY kind, name
