"""Pictures of a run, written to its folder figures/.

What a drawing needs is in the name of its room: `from_run_files` reads metrics.jsonl alone,
`from_pictures` reads real or scored pictures, `from_model` samples from the loaded model. So do
`paths` (the way from noise to picture, films) and `maps` (latents in two dimensions). `draw`
knows all drawings by name; `scene` holds what they are made from.
"""
