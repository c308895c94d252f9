-- wrk: queries by id in any order.   wrk ... -s serving_ids.lua URL -- PATH COUNT, with %d in PATH
function init(arguments)
    path, count = arguments[1], tonumber(arguments[2])
    math.randomseed(os.time())
end

function request()
    return wrk.format("GET", string.format(path, math.random(count)))
end
