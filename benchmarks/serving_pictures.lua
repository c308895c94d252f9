-- wrk: pictures in turn.   wrk ... -s serving_pictures.lua URL -- PATH FILE...
function init(arguments)
    path, pictures, number = arguments[1], {}, 0
    for place = 2, #arguments do
        local file = assert(io.open(arguments[place], "rb"))
        pictures[place - 1] = file:read("*all")
        file:close()
    end
end

function request()
    number = number % #pictures + 1
    return wrk.format("POST", path, {["Content-Type"] = "image/jpeg"}, pictures[number])
end
