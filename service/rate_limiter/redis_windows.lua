-- An exact sliding window for every key of one request: all of a group count, or none does, and none behind a group that
-- is full.
-- KEYS: one sorted set a rule, a member a counted call: its id, scored by the microsecond when it was counted.
-- ARGV: the call's id, or '' for answers that change nothing; then for each key its limit, window in microseconds, and
-- the number of its group, from 1.
-- Answers for each key: how many calls stood before this one, and the microseconds until the oldest leaves.
-- Redis's own clock decides, so that no two machines need agree on the time.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}
local id = ARGV[1]
local full = id == '' and 0 or math.huge

for number, key in ipairs(KEYS) do
    local limit = tonumber(ARGV[3 * number - 1])
    local window = tonumber(ARGV[3 * number])
    -- A value of another type under this key is no window.
    if type(redis.pcall('ZREMRANGEBYSCORE', key, '-inf', now - window)) ~= 'number' then
        redis.call('DEL', key)
    end
    local count = redis.call('ZCARD', key)
    -- A call whose answer was lost on the way is sent again: it is in already.
    if id ~= '' and redis.call('ZSCORE', key, id) then
        count = count - 1
    end
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    answer[2 * number - 1] = count
    answer[2 * number] = oldest and (tonumber(oldest) + window - now) or window
    if count >= limit then
        full = math.min(full, tonumber(ARGV[3 * number + 1]))
    end
end

-- A refused call is not counted: a client that waits gets through, however often it was refused.
for number, key in ipairs(KEYS) do
    if tonumber(ARGV[3 * number + 1]) < full then
        redis.call('ZADD', key, 'NX', string.format('%.0f', now), id)
        redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[3 * number]) / 1000))
    end
end
return answer
