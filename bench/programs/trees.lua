-- Binary trees made and counted: tables and the garbage collector.
local function make(d) if d == 0 then return {} end return {make(d - 1), make(d - 1)} end
local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end
local sum = 0
for _ = 1, ROUNDS or 90 do sum = sum + count(make(10)) end
print("trees", sum)
