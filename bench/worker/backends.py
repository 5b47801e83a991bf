"""The backends by name. Each takes a Problem and gives an Attention, or raises a
Refusal that says what its interface cannot express."""

import flash
import flex
import sdpa

BACKENDS = {
    "sdpa": sdpa.any_backend,
    "sdpa_cudnn": sdpa.cudnn,
    "efficient": sdpa.efficient,
    "fav2": flash.fav2,
    "fav3": flash.fav3,
    "fav4": flash.fav4,
    "fakv": flash.fakv,
    "fakv3": flash.fakv3,
    "flex": flex.triton,
    "flex_flash": flex.flash,
}
