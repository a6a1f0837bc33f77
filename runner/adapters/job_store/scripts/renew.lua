-- Extends a lease, for the one who holds the claim.
-- KEYS: job
-- ARGV: fencing number, lease until (ms)
-- Returns 1, or 0 where the claim is somebody else's or the job has ended.
-- A lease that ran out but that nobody took over is still the holder's.
local held = redis.call('HMGET', KEYS[1], 'status', 'fence')
if held[1] ~= 'running' or held[2] ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'lease_until_ms', ARGV[2])
return 1
