-- Everything else that a migration can make: extensions, and what is not an extension's own
-- (or another object's: a range brings functions along) among functions, types, collations,
-- policies, rules, indexes of materialized views.
WITH spaces AS (
    SELECT
        n.oid,
        CASE WHEN n.nspname = ANY (current_schemas(false)) THEN ''
             ELSE quote_ident(n.nspname) || '.' END AS prefix
    FROM pg_namespace AS n
    WHERE n.nspname <> 'information_schema'
      AND n.nspname !~ '^pg_'
      AND (n.nspname = ANY (current_schemas(false)) OR n.nspname = ANY (%(schemas)s::text[]))
)
SELECT 'extension' AS kind, extname::text AS name, extversion AS definition
FROM pg_extension
UNION ALL
SELECT
    CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
    s.prefix || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    -- pg_get_functiondef refuses aggregates
    CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END
FROM pg_proc AS p
JOIN spaces AS s ON s.oid = p.pronamespace
WHERE NOT EXISTS (
    SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')
)
UNION ALL
SELECT
    CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'
                   ELSE 'composite type' END,
    s.prefix || t.typname,
    CASE t.typtype
        WHEN 'e' THEN (
            SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
            FROM pg_enum AS e WHERE e.enumtypid = t.oid
        )
        WHEN 'd' THEN concat_ws(
            ' ',
            format_type(t.typbasetype, t.typtypmod),
            CASE WHEN t.typnotnull THEN 'NOT NULL' END,
            'DEFAULT ' || t.typdefault,
            (
                SELECT string_agg(pg_get_constraintdef(c.oid), ' ' ORDER BY c.conname)
                FROM pg_constraint AS c WHERE c.contypid = t.oid AND c.contype = 'c'
            )
        )
        WHEN 'r' THEN (
            SELECT format_type(r.rngsubtype, NULL) FROM pg_range AS r WHERE r.rngtypid = t.oid
        )
        ELSE (
            SELECT string_agg(
                a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum
            )
            FROM pg_attribute AS a
            WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        )
    END
FROM pg_type AS t
JOIN spaces AS s ON s.oid = t.typnamespace
LEFT JOIN pg_class AS r ON r.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND r.relkind = 'c'))
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i')
  )
UNION ALL
SELECT 'collation', s.prefix || l.collname, coalesce(to_jsonb(l) ->> 'collcollate', '')
FROM pg_collation AS l
JOIN spaces AS s ON s.oid = l.collnamespace
WHERE NOT EXISTS (
    SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_collation'::regclass AND d.objid = l.oid AND d.deptype IN ('e', 'i')
)
UNION ALL
SELECT
    'policy',
    s.prefix || c.relname || '.' || p.polname,
    concat_ws(
        ' ',
        p.polcmd::text,
        'USING ' || pg_get_expr(p.polqual, p.polrelid),
        'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid)
    )
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN spaces AS s ON s.oid = c.relnamespace
UNION ALL
SELECT 'rule', s.prefix || c.relname || '.' || w.rulename, pg_get_ruledef(w.oid)
FROM pg_rewrite AS w
JOIN pg_class AS c ON c.oid = w.ev_class
JOIN spaces AS s ON s.oid = c.relnamespace
WHERE w.rulename <> '_RETURN'
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i')
  )
UNION ALL
SELECT 'index', s.prefix || x.relname, pg_get_indexdef(x.oid)
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_class AS c ON c.oid = i.indrelid AND c.relkind = 'm'
JOIN spaces AS s ON s.oid = c.relnamespace
WHERE NOT EXISTS (
    SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i')
)
