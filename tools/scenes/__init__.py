"""Procedural CCTV-like street scenes with exact ground truth, rendered with pybullet on the CPU.

Run as ``python -m tools.scenes --out src/hiprobe/samples`` from the repository root
(needs the ``scenes`` extra).

``motions``
    the skeleton, the motion-capture files and forward kinematics. No renderer.
``meshes``, ``textures``
    geometry and painted surfaces, as arrays. No renderer.
``acts``, ``fight``
    what one person does for a while: walk, stand, play a motion, fall, spar; how acts blend.
``people``
    what people look like, and how a posed body is set on the ground.
``world``
    the renderer, ground, walls, light and camera of one group of clips.
``events``
    who does what when: the script of a clip and its ground-truth intervals.
``render``
    a script to frames, shadows, camera noise, H.264.
``bundle``
    which clips are bundled, and their label files.

Licences: geometry, textures and scripts are this project's own. The skeleton (``humanoid.urdf``) and the
motion files are read at run time from the ``pybullet_data`` of the installed ``pybullet`` wheel (Bullet3,
zlib licence; the motions come from DeepMimic, MIT licence, Copyright (c) 2018 Xue Bin Peng). Nothing of
them is copied here: only rendered pixels are.
"""
