"""Procedural scenes with exact ground truth: the bundled sample clips, and clips with captions to train on.

``python -m hiprobe_training.scenes --out src/hiprobe/samples`` makes the sample clips,
``python -m hiprobe_training.scenes.sheet --out FILE`` draws some training clips, :mod:`hiprobe_training.projector` uses
thousands of them.

Both:

``motions``
    the skeleton, the motion-capture files and forward kinematics. No renderer.
``meshes``, ``textures``
    geometry and painted surfaces, as arrays. No renderer.
``acts``, ``fight``
    what one person does for a while: walk, stand, play a motion, fall, spar; how acts blend.
``people``
    what people look like, and how a posed body is set on the ground.

Sample clips, one street in H.264, drawn by pybullet:

``world``
    the renderer, ground, walls, light and camera of one group of clips.
``events``
    who does what when: the script of a clip and its ground-truth intervals.
``render``
    a script to frames, shadows, camera noise, H.264.
``bundle``
    which clips are bundled, and their label files.

Training clips, eight frames of any place, drawn by OpenGL:

``stage``
    what the renderer is given. ``raster``, ``shaders``: the renderer.
``surfaces``, ``furniture``, ``layouts``, ``rooms``, ``places``
    where it happens, with light and camera.
``bodies``, ``moves``, ``struggle``, ``brawls``, ``vehicles``, ``cast``, ``incidents``
    who and what is there: looks, acts, fights, traffic, what is usual and what is not.
``scene``, ``clips``, ``seen``
    a clip by its seed, with room for everybody, drawn again until its event can be seen.
``facts``, ``phrases``, ``captions``
    what is true of a clip, and how it is said.
``sensor``
    what a cheap camera and its recorder make of it.

Licences: geometry, textures and scripts are this project's own. The skeleton (``humanoid.urdf``) and the
motion files are read at run time from the ``pybullet_data`` of the installed ``pybullet`` wheel (Bullet3,
zlib licence; the motions come from DeepMimic, MIT licence, Copyright (c) 2018 Xue Bin Peng). Nothing of
them is copied here: only rendered pixels are.
"""
