-- MySQL 8: who holds a metadata lock on what a session waits for.
SELECT
    holder.processlist_id AS pid,
    COALESCE(holder.processlist_user, '') AS user,
    COALESCE(holder.processlist_host, '') AS client,
    LOWER(CONCAT('holds ', granted.lock_type)) AS state,
    COALESCE(holder.processlist_info, '') AS query
FROM performance_schema.metadata_locks AS pending
JOIN performance_schema.threads AS waiter
    ON waiter.thread_id = pending.owner_thread_id AND waiter.processlist_id = %(session)s
JOIN performance_schema.metadata_locks AS granted
    ON granted.object_type = pending.object_type
    AND granted.object_schema = pending.object_schema
    AND granted.object_name = pending.object_name
    AND granted.lock_status = 'GRANTED'
    AND granted.owner_thread_id <> pending.owner_thread_id
JOIN performance_schema.threads AS holder ON holder.thread_id = granted.owner_thread_id
WHERE pending.lock_status = 'PENDING' AND holder.processlist_id IS NOT NULL
ORDER BY holder.processlist_time DESC
LIMIT 10
