"""The processor files of toy checkpoints, as the hub's repositories hold them."""

from __future__ import annotations

from typing import Any

_CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_BICUBIC, _BILINEAR, _LANCZOS = 3, 2, 1
_STEPS = {
    "do_convert_rgb": True,
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
}
LLAVA_GRIDS = [[84 * rows, 84 * columns] for rows in range(1, 7) for columns in range(1, 7)]


def square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


INTERNVL_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_IMAGENET,
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "processor_class": "InternVLProcessor",
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 12,
        "resample": _BICUBIC,
        "size": square(56),
    },
    "video_preprocessor_config.json": {
        **_STEPS,
        **_IMAGENET,
        "video_processor_type": "InternVLVideoProcessor",
        "processor_class": "InternVLProcessor",
        "resample": _BICUBIC,
        "size": square(56),
    },
    "processor_config.json": {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
}
QWEN2_5_FILES: dict[str, dict[str, Any]] = {
    # The real repository has no file for videos: this one serves both, and its limits are those of one frame.
    "preprocessor_config.json": {
        **_CLIP,
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "min_pixels": 28 * 28,
        "max_pixels": 84 * 84,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
    },
}
_QWEN3_CELLS = {**_HALF, "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
QWEN3_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_QWEN3_CELLS,
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "size": {"longest_edge": 64 * 64, "shortest_edge": 32 * 32},
    },
    # The longest edge of videos is the pixels of all frames together: eight of 64 x 64.
    "video_preprocessor_config.json": {
        **_QWEN3_CELLS,
        "video_processor_type": "Qwen3VLVideoProcessor",
        "processor_class": "Qwen3VLProcessor",
        "size": {"longest_edge": 8 * 64 * 64, "shortest_edge": 32 * 32},
    },
}
LLAVA_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "do_pad": True,
        "image_grid_pinpoints": LLAVA_GRIDS,
        "resample": _BICUBIC,
        "size": square(84),
    },
    "video_preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "video_processor_type": "LlavaOnevisionVideoProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "resample": _BICUBIC,
        "size": square(84),
    },
    "processor_config.json": {
        "image_token": "<image>",
        "video_token": "<video>",
        "num_image_tokens": 36,
        "processor_class": "LlavaOnevisionProcessor",
        "vision_aspect_ratio": "anyres_max_9",
        "vision_feature_select_strategy": "full",
    },
}
SMOLVLM_FILES: dict[str, dict[str, Any]] = {
    # Videos are read from here as well, through `video_sampling`.
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "SmolVLMImageProcessor",
        "video_processor_type": "SmolVLMVideoProcessor",
        "processor_class": "SmolVLMProcessor",
        "do_image_splitting": True,
        "do_pad": True,
        "max_image_size": {"longest_edge": 64},
        "resample": _LANCZOS,
        "size": {"longest_edge": 256},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 64}},
    },
    "processor_config.json": {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
}
IDEFICS3_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "Idefics3ImageProcessor",
        "processor_class": "Idefics3Processor",
        "do_image_splitting": True,
        "do_pad": True,
        "max_image_size": {"longest_edge": 56},
        "resample": _LANCZOS,
        "size": {"longest_edge": 224},
    },
    "processor_config.json": {"image_seq_len": 4, "processor_class": "Idefics3Processor"},
}
GEMMA_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "Gemma3ImageProcessor",
        "processor_class": "Gemma3Processor",
        "do_convert_rgb": None,
        "do_pan_and_scan": None,
        "image_seq_length": 4,
        "pan_and_scan_max_num_crops": None,
        "pan_and_scan_min_crop_size": None,
        "pan_and_scan_min_ratio_to_activate": None,
        "resample": _BILINEAR,
        "size": square(56),
    },
    "processor_config.json": {"image_seq_length": 4, "processor_class": "Gemma3Processor"},
}
