"""Every import of the repository's own modules names a module, and a name, that exists."""

from source_tree import PACKAGES, ROOT, defined_names, imports, modules, tracked


def unresolved(paths, found) -> list[str]:
    """Return one line for each import of an own package that leads nowhere."""
    names_of = {path: name for name, path in found.items()}
    folders = {".".join([package, *folder.relative_to(root).parts]) for package, root in PACKAGES.items()
               for folder in root.rglob("*") if folder.is_dir()}  # fmt: skip
    wrong = []
    for path in paths:
        for item in imports(path, names_of.get(path, "")):
            if item.module.partition(".")[0] not in PACKAGES:
                continue
            place = f"{path.relative_to(ROOT) if ROOT in path.parents else path.name}:{item.line}"
            if item.name is None or f"{item.module}.{item.name}" not in found:
                if item.module not in found and not (item.name is None and item.module in folders):
                    wrong.append(f"{place}: no module {item.module}")
                elif item.name not in (None, "*"):
                    names = defined_names(found[item.module])
                    if names is not None and item.name not in names:
                        wrong.append(f"{place}: {item.module} has no {item.name}")
    return wrong


def test_every_own_import_resolves():
    paths = [path for path in tracked() if path.suffix == ".py"]
    assert len(paths) > 100
    wrong = unresolved(paths, modules())
    assert not wrong, "\n".join(wrong)


def test_a_wrong_module_and_a_wrong_name_are_found(tmp_path):
    path = tmp_path / "user.py"
    path.write_text(
        "from MidlineShiftLogic.errors import InputError, Nothing\nimport MidlineShiftLogic.nowhere\n", encoding="utf-8"
    )
    assert len(unresolved([path], modules())) == 2
