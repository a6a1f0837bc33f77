-- Ends a job that hasn't started; asks for the end of one that runs.
-- KEYS: job, jobs cancelled
-- ARGV: job id, now, prefix of the keys that list a status's jobs
-- Returns 'unknown', 'already_ended', 'requested' or 'cancelled'.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
    return 'unknown'
end
if status == 'running' then
    redis.call('HSET', KEYS[1], 'cancel_requested', '1')
    return 'requested'
end
if status ~= 'queued' and status ~= 'awaiting_approval' then
    return 'already_ended'
end
redis.call('HSET', KEYS[1], 'cancel_requested', '1', 'status', 'cancelled', 'reason', 'CANCELLED',
    'finished_at', ARGV[2], 'ended_by', '')
redis.call('ZREM', ARGV[3] .. status, ARGV[1])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 'cancelled'
