"""Names of the studies and what each asks; read by the command line before anything heavy is imported."""

STUDY_NAMES = {
    "layers": "What is each layer worth? D_KL, LDR, H, S, silhouette, AUC by layer, with bands; maps of four layers.",
    "dlsp": "Does DLSP pick a good layer? Against last, middle, cross-validated, oracle; each metric alone, in pairs.",
    "transfer": "Does a probe work where it was not fitted? Every ordered pair of manifests; depths across backbones.",
    "calibration": "How few labels do? AUC against the number of labelled videos.",
    "prompts": "Does the question matter, to states and to texts? Several prompts, and none.",
    "sampling": "How many frames, how long a segment? AUC and cost by K and length.",
    "scorers": "Is logistic regression the right scorer? Against linear SVM, LDA, MLP, random forest.",
    "localize": "How to smooth, where to put the threshold? Sigma and kappa swept; adaptive against calibrated.",
    "pooling": "How to pool tokens? Last, visual, motion, joined, and frame by frame.",
    "fusion": "Are a few layers better than one? Scores averaged, states joined.",
    "kinds": "Does one probe a kind of event help? One against the rest, in one pass.",
    "sites": "Where else to read? The vision tower's layers and the projector, beside the decoder's.",
    "heads": "Are a few attention heads better than a layer? Steady ones, chosen on the calibration set.",
}
