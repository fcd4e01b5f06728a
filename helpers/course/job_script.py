# /// script
# requires-python = "==3.11.*"
# dependencies = [
#     "accelerate==1.15.0",
#     "bitsandbytes==0.50.2",
#     "datasets==5.2.0",
#     "dill==0.4.1",
#     "filelock==4.2.12",
#     "huggingface-hub==2.4.0",
#     "ipykernel==7.4.0",
#     "jupyterlab==4.6.6",
#     "matplotlib==3.11.2",
#     "nbclient==0.11.0",
#     "nbconvert==7.17.2",
#     "num2words==0.5.14",
#     "numpy==2.4.6 ; python_full_version < '3.12'",
#     "numpy==2.5.5 ; python_full_version >= '3.12'",
#     "pandas==3.1.1",
#     "papermill==2.7.0",
#     "peft==0.21.2",
#     "pillow==13.0.0",
#     "psutil==7.2.2",
#     "pyyaml==6.0.3",
#     "safetensors==0.8.0",
#     "torch==2.14.1",
#     "torchvision==0.29.1",
#     "tqdm==4.70.1",
#     "transformers==5.23.0",
#     "trl==1.16.0",
#     "xxhash==4.1.0",
#     "openai==3.57.0",
#     "pydantic==2.14.3",
#     "uvicorn==0.54.0",
#     "fastapi==0.165.0",
#     "starlette==1.10.0",
#     "rich==15.0.0",
#     "trackio>=0.20",
# ]
# ///
"""Runs one lesson of the course on a rented machine. Sent by ``helpers.course.jobs``; imports nothing of the course beforehand.

The block above is PEP 723: uv builds the environment from it. ``python -m helpers.course.jobs`` writes it from
requirements.lock.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lesson")
    parser.add_argument("--repository", required=True, help="address that git can clone")
    parser.add_argument("--revision", required=True, help="commit, tag or branch")
    parser.add_argument("--profile", default="gpu")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--push-to", help="owner/name of a private model repository for the adapter and the notebook")
    options = parser.parse_args()
    course, out = Path("course").resolve(), Path("out").resolve()
    for command in (
        ["git", "clone", "--quiet", options.repository, str(course)],
        ["git", "-C", str(course), "checkout", "--quiet", options.revision],
    ):
        subprocess.run(command, check=True)
    words = [word for pair in options.set for word in ("--set", pair)]
    done = subprocess.run(
        [sys.executable, "-m", "helpers", "run", options.lesson, "--profile", options.profile, "--out", str(out), *words],
        cwd=course,
        env=os.environ | {"TRACKIO_DIR": str(out / "trackio")},  # the curves stay beside the results
    )
    if options.push_to:
        push(out, options.lesson, options.push_to)  # also what a failed lesson left: its notebook says where it stopped
    return done.returncode


def push(out: Path, lesson: str, name: str) -> None:
    """Upload the executed notebook, the figures, the curves and the adapter; not the checkpoints, not the merged model."""
    from huggingface_hub import HfApi

    hub = HfApi()  # reads HF_TOKEN, which the job gets as a secret
    hub.create_repo(name, private=True, exist_ok=True)
    hub.upload_folder(
        repo_id=name,
        folder_path=out,
        allow_patterns=["*.ipynb", "site/**", "plots.png", "results.json", "trackio/**", "*/adapter/**", "*/log.jsonl"],
        commit_message=f"{lesson}, run as a job",
    )


if __name__ == "__main__":
    sys.exit(main())
