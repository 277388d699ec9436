-- The recorder's table as the search path finds it: its columns, and whether it may be read.
SELECT
    to_regclass('django_migrations') IS NOT NULL AS present,
    coalesce(has_table_privilege(to_regclass('django_migrations')::oid, 'SELECT'), false)
        AS readable,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = to_regclass('django_migrations')
          AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns
