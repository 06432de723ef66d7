"""What `nbdev-export` writes besides modules (`export_procs` in pyproject.toml): stubs, and parameters in docstrings.

Type checkers see neither a method that `@patch` adds nor what an unannotated default is; `NAME.pyi` has
both. `help` sees no comments; a docstring in a module lists what the signature's comments say. Nothing of birdornot
imports this module."""
import ast
import io
import re
import tokenize
from pathlib import Path

FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
KEPT = {"property", "contextmanager", "staticmethod", "classmethod", "dataclass", "cached_property"}
UNKNOWN = "Incomplete"  # typeshed's name for a type that nobody has written down yet


def _name(node) -> str:
    "The last name of a decorator or of what is called"
    node = node.func if isinstance(node, ast.Call) else node
    return getattr(node, "attr", getattr(node, "id", ""))


def _owner(fn) -> str:
    "The class that a function is patched into, or ''"
    if not any(_name(d) == "patch" for d in fn.decorator_list) or not fn.args.args: return ""
    return ast.unparse(fn.args.args[0].annotation or ast.Constant("")).strip("'")


def _used(fn, kinds) -> list:
    "Nodes of some kinds in a function's body, those of functions in it left out"
    found, todo = [], [*fn.body]
    while todo:
        node = todo.pop()
        if isinstance(node, kinds): found.append(node)
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)): todo += ast.iter_child_nodes(node)
    return found


def guess(node) -> str:
    "The type of a literal, or `UNKNOWN`"
    if isinstance(node, ast.Constant): return "None" if node.value is None else type(node.value).__name__
    if isinstance(node, ast.JoinedStr): return "str"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub): return guess(node.operand)
    if isinstance(node, ast.BinOp):
        both = {guess(node.left), guess(node.right)}
        return both.pop() if len(both) == 1 else "float" if both == {"int", "float"} else UNKNOWN
    if isinstance(node, ast.Tuple): return f"tuple[{', '.join(map(guess, node.elts)) or '()'}]"
    if isinstance(node, (ast.List, ast.Set)): return f"{type(node).__name__.lower()}[{_join(map(guess, node.elts))}]"
    if isinstance(node, ast.Dict): return f"dict[{_join(map(guess, node.keys))}, {_join(map(guess, node.values))}]"
    if isinstance(node, ast.Call) and _name(node) == "dict" and all(k.arg for k in node.keywords):
        return f"dict[str, {_join(guess(k.value) for k in node.keywords)}]"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and re.match("[A-Z]", node.func.id):
        return node.func.id if node.func.id not in ("L",) else UNKNOWN
    return UNKNOWN


def _join(types) -> str:
    types = list(dict.fromkeys(types))
    return UNKNOWN if UNKNOWN in types or not types else " | ".join(types)


def _returns(fn) -> str:
    "What a function gives back, where no annotation says it"
    yields = _used(fn, (ast.Yield, ast.YieldFrom))
    if yields: return f"Iterator[{UNKNOWN if any(getattr(y, 'value', None) for y in yields) else None}]"
    if fn.name in ("__repr__", "__str__", "_repr_html_", "_repr_markdown_"): return "str"
    if fn.name == "__len__": return "int"
    values = [r.value for r in _used(fn, ast.Return) if r.value is not None]
    return _join(map(guess, values)) if values else "None"


def _parameter(arg, default) -> str:
    "A parameter as a stub has it"
    said = ast.unparse(arg.annotation) if arg.annotation and arg.arg not in ("self", "cls") else ""
    if not said and arg.arg not in ("self", "cls"):
        said = UNKNOWN if default is None else guess(default)
        if said == "None": said = UNKNOWN
    if said and guess(default) == "None" and not re.search(r"\bNone\b", said): said += " | None"
    simple = isinstance(default, ast.Constant) or (isinstance(default, ast.UnaryOp) and guess(default) != UNKNOWN)
    end = "" if default is None else f" = {ast.unparse(default)}" if simple else " = ..."
    return arg.arg + (f": {said}" if said else "") + (end if said else end.replace(" ", ""))


def signature(fn) -> str:
    "A function's parameters and what it gives back"
    a = fn.args
    several = [*a.posonlyargs, *a.args]
    parts = [_parameter(p, d) for p, d in zip(several, [None]*(len(several) - len(a.defaults)) + a.defaults)]
    if a.posonlyargs: parts.insert(len(a.posonlyargs), "/")
    if a.vararg: parts.append("*" + _parameter(a.vararg, None))
    elif a.kwonlyargs: parts.append("*")
    parts += [_parameter(p, d) for p, d in zip(a.kwonlyargs, a.kw_defaults)]
    if a.kwarg: parts.append("**" + _parameter(a.kwarg, None))
    return f"({', '.join(parts)}) -> {ast.unparse(fn.returns) if fn.returns else _returns(fn)}"


def _function(fn, indent="") -> list[str]:
    "The lines of a function in a stub; `patch(as_prop=True)` is a property, and its class is self's"
    heads = []
    for d in fn.decorator_list:
        asked = {k.arg for k in getattr(d, "keywords", [])}
        if _name(d) == "patch": heads += ["property"]*("as_prop" in asked) + ["classmethod"]*("cls_method" in asked)
        elif _name(d) in KEPT or _name(d) in ("setter", "overload"): heads.append(ast.unparse(d))
    wider = "  # type: ignore[override]" if fn.name in ("__add__", "__iadd__") else ""  # a list's takes any
    kind = "async def" if isinstance(fn, ast.AsyncFunctionDef) else "def"
    return [f"{indent}@{h}" for h in heads] + [f"{indent}{kind} {fn.name}{signature(fn)}: ...{wider}"]


def _attributes(cls) -> list[str]:
    "What `__init__` makes a public attribute of, with the type of the parameter or of the literal it comes from"
    init = next((f for f in cls.body if isinstance(f, FUNCTIONS) and f.name == "__init__"), None)
    if init is None: return []
    said = {a.arg: ast.unparse(a.annotation) for a in [*init.args.args, *init.args.kwonlyargs] if a.annotation}
    found = {}
    def note(to, value):
        if isinstance(to, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [None]*len(to.elts)
            for t, v in zip(to.elts, values): note(t, v)
        elif isinstance(to, ast.Attribute) and getattr(to.value, "id", "") == "self" and not to.attr.startswith("_"):
            found.setdefault(to.attr, said.get(getattr(value, "id", ""), guess(value) if value else UNKNOWN))
    for node in _used(init, (ast.Assign, ast.AnnAssign))[::-1]:
        if isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Attribute): found[node.target.attr] = ast.unparse(node.annotation)
        else:
            for to in node.targets: note(to, node.value)
    return [f"    {name}: {kind if kind != 'None' else UNKNOWN + ' | None'}" for name, kind in found.items()]


def _class(cls, patched) -> list[str]:
    "The lines of a class in a stub, with the methods that are patched into it"
    lines = [f"@{ast.unparse(d)}" for d in cls.decorator_list if _name(d) in KEPT]
    bases = ", ".join(map(ast.unparse, [*cls.bases, *cls.keywords]))
    lines.append(f"class {cls.name}{f'({bases})' if bases else ''}:")
    body, named = [], {getattr(f, "name", None) or getattr(getattr(f, "target", None), "id", "") for f in cls.body}
    for node in cls.body:
        if isinstance(node, ast.AnnAssign): body.append(f"    {ast.unparse(node)}")
        elif isinstance(node, ast.Assign): body += _assigned(node, "    ", named)
    body += [line for line in _attributes(cls) if line.split(":")[0].strip() not in named]
    for fn in [*(f for f in cls.body if isinstance(f, FUNCTIONS)), *patched]:
        if not re.match("_[^_]", fn.name) or fn.name.startswith("_repr_"): body += _function(fn, "    ")
    body.sort(key=lambda line: bool(re.match(r" +\w+ = \w+$", line)))  # a second name comes after what it names
    return [*lines, *(body or ["    ..."])]


def _assigned(node, indent="", functions=()) -> list[str]:
    "The names that an assignment makes, with the types of literals; a second name of a function stays one"
    lines = []
    for to in node.targets:
        pairs = zip(to.elts, node.value.elts) if isinstance(to, ast.Tuple) and isinstance(node.value, ast.Tuple) else \
            [(t, None) for t in to.elts] if isinstance(to, ast.Tuple) else [(to, node.value)]
        for name, value in pairs:
            if not isinstance(name, ast.Name) or (name.id.startswith("_") and not name.id.startswith("__")): continue
            same = isinstance(value, ast.Name) and value.id in functions
            kind = guess(value) if value is not None else UNKNOWN
            lines.append(f"{indent}{name.id} = {value.id}" if same else f"{indent}{name.id}: {kind}")
    return lines


def stub(source: str, name: str) -> str:
    "The stub of a module's source"
    tree, comments = ast.parse(source), _comments(source)
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS): _late_types(node, comments)
    functions = [n for n in tree.body if isinstance(n, FUNCTIONS)]
    patched = {}
    for fn in functions: patched.setdefault(_owner(fn), []).append(fn)
    lines = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef): lines += _class(node, patched.get(node.name, []))
        elif isinstance(node, FUNCTIONS):
            if not node.name.startswith("_") and not _owner(node): lines += _function(node)
        elif isinstance(node, ast.AnnAssign): lines.append(f"{node.target.id}: {ast.unparse(node.annotation)}")
        elif isinstance(node, ast.Assign): lines += _assigned(node, functions={f.name for f in functions})
    head = f"# written by nbdev-export from nbs: the types of birdornot.{name}, with patched methods in their classes"
    return "\n".join([head, *_imports(tree, "\n".join(lines)), "", *lines]) + "\n"


def _imports(tree, text) -> list[str]:
    "The imports that a stub needs"
    words, lines = set(re.findall(r"\w+", text)), []
    again = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                  and getattr(n.targets[0], "id", "") == "_all_"), [])  # what is imported to be exported
    if UNKNOWN in words: lines.append(f"from _typeshed import {UNKNOWN}")
    given = {a.asname or a.name for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
    if "Iterator" in words - given: lines.append("from collections.abc import Iterator")
    lines += [f"import {late}" for late in sorted(set(re.findall(r"\b((?:\w+\.)*\w+)\.[A-Z]\w*", text)) - given)]
    for node in tree.body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)): continue
        node.names = [ast.alias(a.name, a.name) if a.name in again else a for a in node.names
                      if a.name in again or (a.asname or a.name).split(".")[0] in words]
        if node.names: lines.append(ast.unparse(node))
    return lines


def _comments(source: str) -> dict[int, str]:
    "Line → its comment"
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").rstrip() for t in tokens if t.type == tokenize.COMMENT}


def _section(title, entries) -> list[str]:
    "A section of a docstring, as numpy writes them"
    lines = [line for head, text in entries for line in (head, f"    {text}")]
    return ["", title, "-"*len(title), *lines] if entries else []


def _beside(fn, comments: dict[int, str]) -> dict[str, str]:
    "Parameter → the comment beside it; what a function gives back is `return`"
    a = fn.args
    args = [*a.posonlyargs, *a.args, *filter(None, [a.vararg]), *a.kwonlyargs, *filter(None, [a.kwarg])]
    lines = [p.end_lineno for p in args]
    last = max([*lines, fn.lineno])
    back = fn.returns.end_lineno if fn.returns else next((n for n in range(last + 1, fn.body[0].lineno)
                                                          if n in comments), last if last == fn.lineno else 0)
    said = {p.arg: comments[line] for p, line in zip(args, lines)
            if line in comments and line != back and lines.count(line) == 1 and p.arg not in ("self", "cls")}
    return said | ({"return": comments[back]} if back in comments else {})


def described(node, comments: dict[int, str]) -> list[str]:
    "What the comments beside a function's parameters or a class's fields say, as lines of a docstring"
    if isinstance(node, ast.ClassDef):
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and n.end_lineno in comments]
        return _section("Attributes", [(n.target.id, comments[n.end_lineno]) for n in fields])
    said = _beside(node, comments)
    lines = _section("Parameters", [(name, text) for name, text in said.items() if name != "return"])
    if "return" not in said: return lines
    kind = [ast.unparse(node.returns)] if node.returns else []
    if kind != ["None"] and (kind or not said["return"].startswith("raises ")):
        lines += ["", "Returns", "-------", *kind]
    if error := re.match(r"raises `(\w+)`\s*(.*)", said["return"]):
        return [*lines, "", "Raises", "------", error[1], *([f"    {error[2]}"] if error[2] else [])]
    return [*lines, "    "*len(kind) + said["return"]]


def _late_types(fn, comments) -> None:
    "Take types of modules that are imported late from comments, which name them in full: `matplotlib.axes.Axes`"
    for name, text in _beside(fn, comments).items():
        if not (found := re.match(r"`([A-Za-z]\w*(?:\.\w+)+)`", text)): continue
        kind = ast.parse(found[1], mode="eval").body
        if name == "return": fn.returns = fn.returns or kind
        for arg in [*fn.args.args, *fn.args.kwonlyargs]:
            if arg.arg == name: arg.annotation = arg.annotation or kind


def documented(source: str) -> str:
    "The source with docstrings that say what the comments say; those of commands are texts of the command line"
    tree, comments, lines = ast.parse(source), _comments(source), source.split("\n")
    nodes = [n for n in ast.walk(tree) if isinstance(n, (*FUNCTIONS, ast.ClassDef)) and not n.name.startswith("_")]
    for node in sorted(nodes, key=lambda n: -n.lineno):
        doc = node.body[0].value if isinstance(node.body[0], ast.Expr) else None
        if not isinstance(getattr(doc, "value", None), str) or doc.lineno != doc.end_lineno: continue
        if any(_name(d) == "command" for d in node.decorator_list): continue
        if not (more := described(node, comments)): continue
        at, indent = doc.lineno - 1, " "*doc.col_offset
        text = "\n".join([doc.value, *more]).replace("\\", "\\\\").replace('"""', '\\"""')
        new = f'"""{text}\n"""'.replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n")
        lines[at] = lines[at][:doc.col_offset] + new
    return "\n".join(lines)


class Export:
    "nbdev's processor for a notebook: after the cells that make a module, its stub"
    def __init__(self, nb): self.nb, self.name, self.cells = nb, "", []

    def __call__(self, cell):
        if cell.cell_type != "code": return
        self.name = "".join(cell.directives_.get("default_exp", [])) or self.name
        if not {"export", "exports", "exporti"} & set(cell.directives_): return
        self.cells.append(cell.source)
        cell.set_source(documented(cell.source).splitlines(keepends=True))

    def end(self):
        if not self.cells or not self.name: return
        file = Path("birdornot")/f"{self.name}.pyi"
        file.write_text(stub("\n\n".join(self.cells), self.name), encoding="utf-8", newline="\n")
