-- Drops whatever a dump of this database holds, and nothing else: what initdb made (oids below
-- 16384), members of extensions, extensions that the dump has too, and schemas that hold those
-- stay. With CASCADE, one drop may take others along, so each says IF EXISTS.
DO $clear$
DECLARE
    kept text[] := string_to_array(current_setting('migrator.kept_extensions'), ',');
    found record;
BEGIN
    FOR found IN
        SELECT o.type, o.identity, c.rank
        FROM (
            SELECT 1 AS rank, 'pg_event_trigger'::regclass::oid AS classid, oid AS objid,
                   0::oid AS namespace FROM pg_event_trigger
            UNION ALL SELECT 2, 'pg_publication'::regclass, oid, 0 FROM pg_publication
            UNION ALL SELECT 3, 'pg_class'::regclass, oid, relnamespace FROM pg_class
                      WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            UNION ALL SELECT 4, 'pg_cast'::regclass, oid, 0 FROM pg_cast
            UNION ALL SELECT 4, 'pg_transform'::regclass, oid, 0 FROM pg_transform
            UNION ALL SELECT 5, 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
            UNION ALL SELECT 6, 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator
            UNION ALL SELECT 6, 'pg_opclass'::regclass, oid, opcnamespace FROM pg_opclass
            UNION ALL SELECT 6, 'pg_opfamily'::regclass, oid, opfnamespace FROM pg_opfamily
            UNION ALL SELECT 6, 'pg_conversion'::regclass, oid, connamespace FROM pg_conversion
            UNION ALL SELECT 6, 'pg_ts_config'::regclass, oid, cfgnamespace FROM pg_ts_config
            UNION ALL SELECT 6, 'pg_ts_dict'::regclass, oid, dictnamespace FROM pg_ts_dict
            UNION ALL SELECT 6, 'pg_ts_parser'::regclass, oid, prsnamespace FROM pg_ts_parser
            UNION ALL SELECT 6, 'pg_ts_template'::regclass, oid, tmplnamespace FROM pg_ts_template
            UNION ALL SELECT 7, 'pg_type'::regclass, oid, typnamespace FROM pg_type
                      WHERE typtype IN ('b', 'c', 'd', 'e', 'r')
            UNION ALL SELECT 8, 'pg_collation'::regclass, oid, collnamespace FROM pg_collation
            UNION ALL SELECT 8, 'pg_foreign_server'::regclass, oid, 0 FROM pg_foreign_server
            UNION ALL SELECT 9, 'pg_foreign_data_wrapper'::regclass, oid, 0
                      FROM pg_foreign_data_wrapper
            UNION ALL SELECT 9, 'pg_am'::regclass, oid, 0 FROM pg_am
            UNION ALL SELECT 9, 'pg_language'::regclass, oid, 0 FROM pg_language
            UNION ALL SELECT 10, 'pg_extension'::regclass, oid, 0 FROM pg_extension
                      WHERE NOT extname = ANY (kept)
            UNION ALL SELECT 11, 'pg_namespace'::regclass, oid, oid FROM pg_namespace
                      WHERE NOT EXISTS (
                          SELECT FROM pg_extension
                          WHERE extnamespace = pg_namespace.oid AND extname = ANY (kept)
                      )
        ) AS c
        LEFT JOIN pg_namespace AS n ON n.oid = c.namespace
        CROSS JOIN LATERAL pg_identify_object(c.classid, c.objid, 0) AS o
        WHERE c.objid >= 16384
          AND coalesce(n.nspname !~ '^pg_' AND n.nspname <> 'information_schema', true)
          AND NOT EXISTS (
              SELECT FROM pg_depend AS d
              WHERE d.classid = c.classid AND d.objid = c.objid AND d.objsubid = 0
                  AND d.deptype IN ('e', 'i')
          )
        ORDER BY c.rank
    LOOP
        EXECUTE format(
            'DROP %s IF EXISTS %s CASCADE',
            CASE found.type
                WHEN 'foreign-data wrapper' THEN 'foreign data wrapper'
                ELSE found.type
            END,
            found.identity
        );
    END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    -- Rows that the user put into tables of extensions are dumped with the extension.
    FOR found IN
        SELECT t.oid::regclass AS name, x.condition
        FROM pg_extension AS e
        CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) AS x (config, condition)
        JOIN pg_class AS t ON t.oid = x.config AND t.relkind = 'r'
        WHERE e.extname = ANY (kept)
    LOOP
        EXECUTE format('DELETE FROM %s %s', found.name, found.condition);
    END LOOP;
END
$clear$;
