-- bench/heap/workloads/lua.lua: trees, tables and strings
local function tree(depth)
    if depth == 0 then return {} end
    return {tree(depth - 1), tree(depth - 1)}
end
local function count(t)
    return t[1] and 1 + count(t[1]) + count(t[2]) or 1
end
for i = 1, 8 do print(count(tree(15))) end
local t = {}
for i = 1, 600000 do t[i % 20000] = {i, tostring(i) .. ("x"):rep(i % 40)} end
local s = {}
for k, v in pairs(t) do s[#s + 1] = v[2] end
table.sort(s)
print(#s, #table.concat(s))
for i = 1, 200 do local b = ("y"):rep(100000) .. i end
