"""How the embedded model and data are made: nothing but public tables goes in; a SmolVLM that reads charts comes out.

Invented charts with questions and a curriculum; pretraining in three stages (``python -m helpers.tiny``, what ``make tiny``
runs); ChartQA-mini and the preference pairs, from vega's and plotly's tables; and the skills that the model's card claims,
measured. Lessons 04 and 06 ask here what a training has forgotten.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "architecture": ("GRID", "build_model", "build_processor"),
        "batches": ("IGNORE", "BatchMaker"),
        "card": ("CLAIMED", "keep_made", "last_rows", "note_rebuild", "read_made"),
        "charts": ("TOKEN", "draw", "layout", "png_bytes", "readable"),
        "curriculum": ("describe", "invented_chart"),
        "eyes": ("FactTable", "reading_loss", "what_tokens_should_say"),
        "initialization": ("compare_content_from_the_start", "numbers_as_waves"),
        "pretrain": ("STAGES", "Stage", "answer_loss", "compared_right", "read_answers", "see", "train_stage"),
        "provenance": ("measured_by", "processor_name"),
        "questions": ("Words", "ask"),
        "rendering": ("CHUNK", "Drawn", "draw_invented", "invented_chunk"),
        "skills": ("charts_to_describe", "measure_skills"),
        "tables": ("YEARS", "load_blocks"),
    },
)
