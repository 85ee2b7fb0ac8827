# bench/heap/workloads/python3.py: objects, dictionaries, JSON, strings
import collections
import json
import re


class Node:
    def __init__(self, key, children):
        self.key = key
        self.children = children
        self.text = "node %d" % key


def tree(depth, key):
    if not depth:
        return Node(key, [])
    return Node(key, [tree(depth - 1, key * 3 + i) for i in range(3)])


def count(node):
    return 1 + sum(count(child) for child in node.children)


for turn in range(2):
    print(count(tree(9, turn)))
table = {str(i): [i, {"name": "value %d" % i, "list": list(range(i % 20))}] for i in range(30000)}
for turn in range(2):
    text = json.dumps(table)
    table = json.loads(text)
words = collections.Counter(re.findall(r"[a-z]+|\d+", text))
print(len(text), words.most_common(2))
lines = [" ".join(reversed(line.split())) for line in text.split("}")]
print(len(sorted(lines)), len("".join(lines)))
for turn in range(20):
    part = [bytearray(i) for i in range(2000)]
print(len(part))
