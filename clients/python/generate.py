"""Writes what of the client can be made by a rule.

src/banger/_operations.py is of the server's description, as banger serve --openapi
prints it on standard input: a method for each operation, and the types. _sync.py is
_aio.py without its awaits. With --check nothing is written, and files that would
change are an error.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "src" / "banger"
Schema = dict[str, Any]

HEAD = '''"""The server's operations, a method each. Made by generate.py."""

from __future__ import annotations

from typing import Any, Literal, Sequence

from typing_extensions import Required, TypedDict

from ._transport import AsyncTransport, Content, EventStream, AsyncEventStream, AsyncReply, Reply, Transport, segment

Base64 = str  # what stands for bytes
'''


class Types:
    """The schemas' types, of which objects with known keys are TypedDicts."""

    def __init__(self) -> None:
        self.written: dict[str, str] = {}

    def of(self, schema: Schema | bool, name: str) -> str:
        """The Python type of a schema, which may be called name."""
        if isinstance(schema, bool):
            return "Any"
        if "$ref" in schema:
            return str(schema["$ref"]).rsplit("/", 1)[1]
        if len(schema.get("allOf", [])) == 1:
            return self.of(schema["allOf"][0], name)
        if "enum" in schema:
            return f"Literal[{', '.join(repr(v) for v in schema['enum'])}]"
        if schema.get("contentEncoding") == "base64":
            return "Base64"
        kinds = schema.get("type", [])
        if isinstance(kinds, list):
            found = [self.of({**schema, "type": k}, name) for k in kinds if k != "null"]
            return " | ".join(found + ["None"] * ("null" in kinds)) or "Any"
        if kinds == "array":
            return f"list[{self.of(schema.get('items', True), name)}]"
        if kinds == "object":
            return self.object(schema, name)
        return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kinds]

    def object(self, schema: Schema, name: str) -> str:
        properties = schema.get("properties")
        if not properties:
            values = schema.get("additionalProperties") or True
            return f"dict[str, {self.of(values, name)}]"
        required = schema.get("required", [])
        keys = []
        for key, of in properties.items():
            kind = self.of(of, name + title(key))
            keys.append(f"    {key!r}: {f'Required[{kind}]' if key in required else kind},")
        text = f'{name} = TypedDict("{name}", {{\n' + "\n".join(keys) + "\n}, total=False)\n"
        if self.written.setdefault(name, text) != text:
            raise ValueError(f"there are two types {name}")
        return name


def title(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]", text))


def snake(text: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z]+)", lambda m: "_" + m[1].lower(), text).lower()


def identifier(text: str) -> str:
    return text + "_" if keyword.iskeyword(text) else text.replace("-", "_").lower()


class Operation:
    """An operation of the description."""

    def __init__(self, path: str, method: str, o: Schema, components: dict[str, Schema], types: Types) -> None:
        self.name, self.path, self.method, self.summary = snake(o["operationId"]), path, method.upper(), o["summary"]
        self.required: list[str] = []
        self.optional: list[str] = []
        self.query: list[tuple[str, str]] = []
        self.headers: list[tuple[str, str]] = []
        self.body: list[tuple[str, str]] = []
        self.content = False
        self.of = path.split("/")[2].removesuffix("s")  # what {name} is the name of
        for p in o.get("parameters", []):
            if p["in"] == "path":
                continue
            kind, name = types.of(p["schema"], title(self.name) + title(p["name"])), identifier(p["name"])
            self.optional.append(f"{name}: {kind.replace('list[', 'Sequence[')} | None = None")
            (self.query if p["in"] == "query" else self.headers).append((p["name"], name))
        for kind, body in o.get("requestBody", {}).get("content", {}).items():
            if kind != "application/json":
                self.content = True
                continue
            schema = body["schema"]
            if "$ref" in schema:
                schema = components[schema["$ref"].rsplit("/", 1)[1]]
            schema = schema.get("allOf", [schema])[0]
            for key, of in schema["properties"].items():
                name, kind = identifier(key), types.of(of, title(self.name) + title(key))
                kind = re.sub(r"^list\[", "Sequence[", kind)
                if key in schema.get("required", []):
                    self.required.append(f"{name}: {kind}")
                else:
                    self.optional.append(f"{name}: {kind.removesuffix(' | None')} | None = None")
                self.body.append((key, name))
        (status, answer), = ((s, r) for s, r in o["responses"].items() if s != "default")
        self.answer, self.returns = "nothing", "None"
        for kind, content in answer.get("content", {}).items():
            if kind == "application/json":
                self.answer, self.returns = "json", types.of(content["schema"], title(self.name) + "Result")
            elif self.answer != "json":
                self.answer = "events" if kind == "text/event-stream" else "stream"

    def write(self, aio: bool) -> str:
        arguments = ["self"]
        if "{name}" in self.path:
            arguments.append(f"{self.of}: str")
        if self.content:
            arguments.append("content: Content")
        if self.required or self.optional:
            arguments += ["*", *self.required, *self.optional]
        way = {"json": "ask", "nothing": "ask", "events": "events", "stream": "stream"}[self.answer]
        prefix, returns = "Async" if aio else "", self.returns
        if way != "ask":
            returns = prefix + {"events": "EventStream", "stream": "Reply"}[way]
        awaits = aio and way == "ask"
        path = self.path.replace("{name}", f"{{segment({self.of})}}")
        call = [repr(self.method), f'f"{path}"']
        for what, pairs in ("query", self.query), ("headers", self.headers), ("body", self.body):
            if pairs:
                call.append(f"{what}={{{', '.join(f'{key!r}: {name}' for key, name in pairs)}}}")
        if self.content:
            call.append("content=content")
        result = f"{'await ' if awaits else ''}self.transport.{way}({', '.join(call)})"
        if self.answer == "json":
            body = f"result: {returns} = {result}\n        return result"
        else:
            body = ("" if self.answer == "nothing" else "return ") + result
        head = f"    {'async ' if awaits else ''}def {self.name}({', '.join(arguments)}) -> {returns}:"
        return f'{head}\n        """{self.summary}."""\n        {body}\n'


def operations(description: Schema) -> str:
    """The text of _operations.py."""
    types, components, all_of = Types(), description["components"]["schemas"], []
    for path, methods in description["paths"].items():
        for method, o in methods.items():
            if o["operationId"] != "attach":  # a websocket, see _attach.py
                all_of.append(Operation(path, method, o, components, types))
    for name, schema in components.items():
        types.of(schema, name)
    out = [HEAD, *types.written.values()]
    for aio in False, True:
        prefix = "Async" if aio else ""
        out.append(f'\nclass {prefix}Operations:\n    """All operations of the server."""\n')
        out.append(f"    transport: {prefix}Transport\n")
        out += [o.write(aio) for o in sorted(all_of, key=lambda o: o.name)]
    return "\n".join(out)


def without_awaits(text: str) -> str:
    """A module of coroutines as one of functions."""
    for pattern, by in [
        (r"async (def|with|for) ", r"\1 "), (r"await ", ""), (r"__a(enter|exit|iter)__", r"__\1__"), (r"__anext__", "__next__"),
        (r"\bAsync(?=[A-Z])", ""), (r"\baclose\b", "close"), (r"enter_async_context", "enter_context"), (r"StopAsyncIteration", "StopIteration"), (r"asyncio\.to_thread\((\w+(?:\.\w+)*), ?", r"\1("),
        (r"\bimport asyncio\n", ""), (r"_aio\b", "_sync"), (r"websockets\.asyncio\.client", "websockets.sync.client"), (r"\bClientConnection as Connection", "ClientConnection as Connection"),
    ]:
        text = re.sub(pattern, by, text)
    return text.replace('"""Sandboxes', '# Made of _aio.py by generate.py.\n"""Sandboxes', 1)


def main() -> int:
    made = {
        HERE / "_operations.py": operations(json.load(sys.stdin)),
        HERE / "_sync.py": without_awaits((HERE / "_aio.py").read_text()),
    }
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        if stale:
            print("run clients/python/generate.py: these are of another server:", *stale, file=sys.stderr)
        return len(stale)
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
