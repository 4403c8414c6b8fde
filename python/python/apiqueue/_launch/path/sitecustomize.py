# Found by every Python that the launcher's program starts, older ones and those of other environments included. It imports nothing
# until botocore is, and then paces it. Where it can't it says so, in one line, and leaves the program alone.
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))
_WHEN = "botocore.client"


def _say(what):
    if sys.stderr is not None:
        sys.stderr.write("apiqueue: %s (process %d): %s\n" % (sys.executable, os.getpid(), what))


class _Finder(object):
    """Lets others find botocore's clients, and paces them as soon as they are loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != _WHEN:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(object):
    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def create_module(self, spec):
        return self._inner.create_module(spec)

    def exec_module(self, module):
        self._inner.exec_module(module)
        module.__loader__ = self._inner
        if getattr(module, "__spec__", None) is not None:
            module.__spec__.loader = self._inner
        try:
            _pace()
        except Exception as why:
            _say("not paced: %s" % (why,))


def _pace():
    if sys.version_info < (3, 9):
        raise RuntimeError("Python 3.9 or newer is needed, this is %d.%d" % sys.version_info[:2])
    import importlib.util

    spec = importlib.util.find_spec("apiqueue")
    if spec is None:
        # Of another environment: the launcher's own, whose extension any CPython from 3.9 on can load.
        spec = importlib.util.spec_from_file_location(
            "apiqueue", os.path.join(_PACKAGE, "__init__.py"), submodule_search_locations=[_PACKAGE]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["apiqueue"] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules["apiqueue"]
            raise
    elif importlib.util.find_spec("apiqueue.boto") is None:
        raise RuntimeError("the package `apiqueue` of this environment is another one")
    from apiqueue._launch import launched

    launched.begin()


def _chain():
    """Runs the `sitecustomize` that would have been found without this one."""
    sys.path[:] = [it for it in sys.path if not it or os.path.abspath(it) != _HERE]
    this = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as why:
        if getattr(why, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        if this is not None:
            sys.modules.setdefault("sitecustomize", this)


if sys.version_info >= (3, 4) and os.environ.get("APIQUEUE_LIMITS"):
    sys.meta_path.insert(0, _Finder())
_chain()
