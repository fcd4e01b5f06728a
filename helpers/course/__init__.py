"""What makes notebooks a course: lessons and a profile go in; executed notebooks, results.json and a book come out.

The runner (papermill), the profiles and their parameters, a lesson's figures and what an earlier one left; the doctor; and
the homes of the course: its own environment, the Colab set-up that every lesson begins with, badges, rented machines. Opens
on bare Python: the set-up needs no package.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "colab": ("prepare",),
        "profiles": ("NAMES", "examples_a_step", "fill_parameters", "load_profile", "pick_profile"),
        "notebooks": ("Lesson", "UsageError", "check_parameters", "find_lessons", "select_lessons"),
        "parameters": ("check_value", "kinds", "read_value", "typed"),
        "kernel": ("CallersKernel",),
        "out_folder": ("HOLDER", "hold"),
        "runner": ("advice", "run"),
        "seeds": ("collect", "measure_seeds", "read_seeds"),
        "results": ("read_results", "record"),
        "artefacts": ("base_of", "made_by", "note_base"),
        "answer": ("ask",),
        "outputs": ("spell", "tidy"),
        "measured_in": ("measuring_cells",),
        "pages": ("Links", "lesson_page"),
        "contact_sheet": ("write_contact_sheet",),
        "repository": ("course_address", "file_address", "forge", "repository_address", "web_address"),
        "site": ("SiteError", "build_site"),
        "times": ("expected_seconds", "lesson_seconds", "read_measured"),
        "measured": ("keep_measured", "with_measured"),
        "doctor": ("examine",),
        "downloads": ("say_downloads", "to_download"),
        "environment": ("INSTRUCTOR_PYTHON", "PYTHON", "ensure", "ensure_instructor"),
        "steps": ("Steps", "size_of"),
        "launch": ("TAG", "badges", "readme_badges", "setup_code", "setup_text", "with_readme_badges", "with_setup"),
        "jobs": ("job_command", "run_job"),
        "benchmark": ("bench",),
        "gpu_check": ("use_gpu",),
        "gpu_times": ("measured_steps", "training_minutes"),
        "secrets": ("redact", "redact_files"),
    },
)
