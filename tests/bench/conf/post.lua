-- A POST of 1 KB of JSON, as analytics SDKs send it: the key stands in the body.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"api_key":"placeholder","batch":[{"event":"seen","properties":{"text":"' .. string.rep("x", 950) .. '"}}]}'
