-- Writes what arq's worker reads, for all jobs of a round in one call.
-- KEYS: the queue, a sorted set of job ids. ARGV: the milliseconds that a job is kept, then for each job the number of
-- ids that it may have, its id, and the job as arq serializes it.
-- A job that waits already is not written again; one that is in no queue waits for nobody. One that may have several ids
-- (its id, then id:1, id:2, ...) takes the first that no worker has begun: a job that runs may have looked for its work
-- before this row was there.
-- The score is Redis's own time: workers run a job whose score is past.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local written = 0

for at = 2, #ARGV, 3 do
    for number = 0, tonumber(ARGV[at]) - 1 do
        local id = number == 0 and ARGV[at + 1] or ARGV[at + 1] .. ':' .. number
        if tonumber(ARGV[at]) == 1 or redis.call('EXISTS', 'arq:in-progress:' .. id) == 0 then
            local waits = redis.call('EXISTS', 'arq:job:' .. id) == 1 and redis.call('ZSCORE', KEYS[1], id)
            if not waits and redis.call('EXISTS', 'arq:result:' .. id) == 0 then
                redis.call('SET', 'arq:job:' .. id, ARGV[at + 2], 'PX', ARGV[1])
                redis.call('ZADD', KEYS[1], string.format('%.0f', now), id)
                written = written + 1
            end
            break
        end
    end
end
return written
