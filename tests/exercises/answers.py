"""What learners' answers of several lessons are written with."""


def returns(text: str, **names):
    """A function written as source, with what it needs: ``f(a, b): return a + b``."""
    namespace = dict(names)
    exec(f"def {text}", namespace)
    return {name: value for name, value in namespace.items() if callable(value) and name == text.split("(")[0]}


def diagnosis(run: str, cause: str, evidence=None) -> dict:
    return {f"{run}_cause": cause, f"{run}_evidence": ... if evidence is None else evidence}
