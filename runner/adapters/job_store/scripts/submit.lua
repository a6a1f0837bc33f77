-- Stores a new job and claims its idempotency key, or names the job that has the key already.
-- KEYS: job, all jobs, jobs of the status, idempotency key
-- ARGV: job id, input hash, digest of the idempotency key or '', field, value, field, value, ...
-- Returns {created, job id}; {'conflict', job id} where the key belongs to another request;
-- {'taken', job id} where the id belongs to another job.
-- Told twice (a client repeats what it got no reply to), the second telling answers as the first.
local id, input_hash = ARGV[1], ARGV[2]

if ARGV[3] ~= '' then
    local known = redis.call('HMGET', KEYS[4], 'job_id', 'input_hash')
    if known[1] then
        if known[2] ~= input_hash then
            return { 'conflict', known[1] }
        end
        return { known[1] == id and 'created' or 'known', known[1] }
    end
end

local stored = redis.call('HMGET', KEYS[1], 'input_hash', 'idempotency_key')
if stored[1] then
    local same = stored[1] == input_hash and stored[2] == ARGV[3]
    return { same and 'created' or 'taken', id }
end

redis.call('HSET', KEYS[1], 'input_hash', input_hash, 'idempotency_key', ARGV[3],
    unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], 0, id)
redis.call('ZADD', KEYS[3], 0, id)
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[4], 'job_id', id, 'input_hash', input_hash)
end
return { 'created', id }
