-- Makes a queued job the caller's own: of many callers, one gets it.
-- KEYS: job, jobs queued, jobs running
-- ARGV: job id, worker, started at, lease until (ms), token of this call
-- Returns the fencing number, or false where the job isn't queued.
-- The token makes it safe to be told twice: the reply to the first telling may have been lost.
local held = redis.call('HMGET', KEYS[1], 'status', 'claim_token', 'fence')
if held[1] == 'running' and held[2] == ARGV[5] then
    return tonumber(held[3])
end
if held[1] ~= 'queued' then
    return false
end
redis.call('HSET', KEYS[1], 'status', 'running', 'worker', ARGV[2], 'started_at', ARGV[3],
    'lease_until_ms', ARGV[4], 'claim_token', ARGV[5])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
return redis.call('HINCRBY', KEYS[1], 'fence', 1)
