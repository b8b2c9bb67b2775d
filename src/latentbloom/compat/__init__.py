"""The function calls of the two systems that this program replaces, as a thin layer over it.

    from latentbloom.compat import main, generate_class_samples

    autoencoder, diffusion = main(total_epochs=1200, dataset="flowers102", save_dir="results")
    generate_class_samples(autoencoder, diffusion, target_class="rose", save_path="roses.png")

`autoencoder` is a `latentbloom.nn.autoencoders.base.Autoencoder`. `diffusion` is what
`latentbloom.load` returns, and holds the autoencoder that it was trained with. A class is a value
of a factor: its name in any case ("Smiling"), NAME=VALUE ("smiling=yes"), or its number in the list
of all values.
"""

from latentbloom.compat.pictures import (
    create_diffusion_animation,
    generate_class_color_samples,
    generate_class_samples,
    generate_samples_grid,
    visualize_denoising_steps,
    visualize_latent_space,
    visualize_reconstructions,
)
from latentbloom.compat.training import (
    main,
    train_autoencoder,
    train_conditional_diffusion,
)

__all__ = [
    "create_diffusion_animation",
    "generate_class_color_samples",
    "generate_class_samples",
    "generate_samples_grid",
    "main",
    "train_autoencoder",
    "train_conditional_diffusion",
    "visualize_denoising_steps",
    "visualize_latent_space",
    "visualize_reconstructions",
]
