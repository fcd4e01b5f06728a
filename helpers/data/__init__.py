"""From files to rows: a hub id, a folder, a CSV or parquet files go in; rows that can be learnt from come out.

One opener for pictures (upright by EXIF, RGB) and one reader of questions.csv serve training, evaluation and checks alike.
Rows have the columns of HuggingFaceM4/ChartQA or, as preference pairs, those of TRL; bad rows are named or skipped; a leak
is a chart of the test split that occurs in training too; every question is of a kind, told from its words.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "chartqa": ("COLUMNS", "FEATURES", "load_chartqa"),
        "preferences": ("load_preferences", "questions_of", "with_practice"),
        "rows": ("SPLITS", "BadRowError", "image_problem", "to_rgb"),
        "leaks": ("SAME", "LeakCheck", "check_leaks"),
        "kinds": ("FAMILIES", "family_of"),
    },
)
