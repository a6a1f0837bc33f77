-- Ends a job, for the one who holds the claim, or for anybody if it was never started.
-- KEYS: job, jobs of the new status
-- ARGV: job id, fencing number or '' for a job not started, status, reason or '', finished at,
--       prefix of the keys that list a status's jobs
-- Returns 1 if the job has now ended so, by this caller; else 0.
local held = redis.call('HMGET', KEYS[1], 'status', 'fence', 'ended_by', 'reason')
local status = held[1]
if held[3] then
    -- ended already: told twice by the same one, it is still so
    local same = held[3] == ARGV[2] and status == ARGV[3] and (held[4] or '') == ARGV[4]
    return same and 1 or 0
end
if ARGV[2] == '' then
    if status ~= 'queued' and status ~= 'awaiting_approval' then
        return 0
    end
elseif status ~= 'running' or held[2] ~= ARGV[2] then
    return 0
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'finished_at', ARGV[5], 'ended_by', ARGV[2])
if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[1], 'reason', ARGV[4])
end
redis.call('HDEL', KEYS[1], 'lease_until_ms')
redis.call('ZREM', ARGV[6] .. status, ARGV[1])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1
