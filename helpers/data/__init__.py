"""From files to rows: a hub id, a folder, a CSV or parquet files go in; rows that can be learnt from come out.

One opener for pictures (upright by EXIF, RGB) and one reader of questions.csv serve training, evaluation and checks alike.
Rows have the columns of HuggingFaceM4/ChartQA or, as preference pairs, those of TRL; bad rows are named or skipped; a leak
is a chart of the test split that occurs in training too; every question is of a kind, told from its words.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "pictures": ("PictureError", "image_problem", "open_picture", "pixels_key"),
        "questions_csv": ("CsvFile", "CsvRow", "find_csv", "find_picture", "read_questions"),
        "rows": ("SPLITS", "BadRowError", "text_problem"),
        "sources": ("image_key",),
        "stored": ("Stored", "only_opens", "stored_pictures"),
        "chartqa": ("COLUMNS", "FEATURES", "contradictions", "load_chartqa"),
        "preferences": ("PAIR_FEATURES", "load_preferences", "questions_of"),
        "survey": ("KINDS_OF_DATA", "Surveyed", "kind_of_data", "survey_rows", "texts_of"),
        "leaks": ("SAME", "LeakCheck", "check_leaks"),
        "kinds": ("QUESTION_KINDS", "kind_of"),
    },
)
