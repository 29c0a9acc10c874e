"""What the wheel carries besides the package: the course itself, so that `attn-course lab` can lay it out anywhere.

A hook, because a checkout installed with `pip install -e` must not get a second copy of its own notebooks, and a
teacher's copy without solutions must still build.
"""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CourseHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        if version == "editable":
            return
        for part in ("notebooks", "exercises", "solutions"):
            for path in sorted(Path(self.root, part).glob("*.ipynb")):
                build_data["force_include"][str(path)] = f"attn_course/course/{part}/{path.name}"
