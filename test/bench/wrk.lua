-- Sends the request heads of a file (REQUESTS, separated by NUL) in turn and prints what came of it as JSON.
local requests = {}
local count = 0

function init()
  local file = assert(io.open(os.getenv("REQUESTS"), "rb"))
  for head in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = head
  end
end

function request()
  count = count % #requests + 1
  return requests[count]
end

function done(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local text = '{"requests":%d,"seconds":%f,"broken":%d,"refused":%d}\n'
  io.write(text:format(summary.requests, summary.duration / 1e6, broken, errors.status))
end
