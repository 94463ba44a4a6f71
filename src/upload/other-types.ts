/*
 * Types that other tables have for a file name where `typeOfName` has another one: shared-mime-info (versions 2.2 and 2.4),
 * by which Kaidan and Psi+ ask for a slot, the other types of mime-db, and names that clients use without a registration.
 * Each entry is a subtype and the endings of file names, or whole names, that mean it.
 */
const table: Readonly<Record<string, string>> = {
  application: `
    annodex anx, cbor cbor, dicom dicomdir, ecmascript es, fits fit fits fts, geo+json geo.json, gnunet-directory gnd,
    illustrator ai, javascript js jsm mjs, jrd+json jrd, json-patch+json json-patch, mathml+xml mml, mp4 mp4 mpg4,
    msword-template dot, octet-stream deb dll dmg exe iso msi, ogg ogg, ovf ova, owl+xml owx, pgp-encrypted asc gpg,
    pgp-keys gpg key pgp pkr skr, pgp-signature asc gpg pgp, pkcs12 p12 pfx, pkcs8-encrypted p8e, ram ram, rdf+xml rdfs,
    schema+json json, smil+xml kino sml, sparql-query qs, vnd.adobe.flash.movie spl swf, vnd.adobe.xfdf xfdf,
    vnd.amazon.mobi8-ebook azw3 kfx, vnd.appimage appimage, vnd.apple.mpegurl m3u, vnd.chess-pgn pgn,
    vnd.coffeescript coffee, vnd.comicbook+zip cbz, vnd.comicbook-rar cbr, vnd.corel-draw cdr,
    vnd.debian.binary-package deb udeb, vnd.efi.img img raw-disk-image, vnd.efi.iso iso iso9660,
    vnd.emusic-emusic_package emp, vnd.fdf fdf, vnd.flatpak flatpak xdgapp, vnd.flatpak.ref flatpakref,
    vnd.flatpak.repo flatpakrepo, vnd.gerber gbr, vnd.lotus-1-2-3 wk1 wk3 wk4 wks,
    vnd.microsoft.portable-executable cpl dll drv efi exe lib ocx scr sys,
    vnd.microsoft.windows.thumbnail-cache ehthumbs.db ehthumbs_vista.db image.db musicthumbs.db thumbs.db tvthumb.db video.db,
    vnd.ms-access mdb, vnd.ms-asf asf, vnd.ms-excel csv xld xll, vnd.ms-excel.addin.macroEnabled.12 xlam,
    vnd.ms-excel.sheet.binary.macroEnabled.12 xlsb, vnd.ms-excel.sheet.macroEnabled.12 xlsm,
    vnd.ms-excel.template.macroEnabled.12 xltm, vnd.ms-pki.stl stl, vnd.ms-powerpoint ppz,
    vnd.ms-powerpoint.addin.macroEnabled.12 ppam, vnd.ms-powerpoint.presentation.macroEnabled.12 pptm,
    vnd.ms-powerpoint.slide.macroEnabled.12 sldm, vnd.ms-powerpoint.slideshow.macroEnabled.12 ppsm,
    vnd.ms-powerpoint.template.macroEnabled.12 potm, vnd.ms-project mpp, vnd.ms-publisher pub,
    vnd.ms-tnef tnef tnf winmail.dat, vnd.ms-visio.drawing.macroEnabled.main+xml vsdm,
    vnd.ms-visio.drawing.main+xml vsdx, vnd.ms-visio.stencil.macroEnabled.main+xml vssm,
    vnd.ms-visio.stencil.main+xml vssx, vnd.ms-visio.template.macroEnabled.main+xml vstm,
    vnd.ms-visio.template.main+xml vstx, vnd.ms-word.document.macroEnabled.12 docm,
    vnd.ms-word.template.macroEnabled.12 dotm, vnd.ms-works xlr, vnd.nokia.n-gage.ac+xml ac,
    vnd.oasis.opendocument.formula-template otf, vnd.oasis.opendocument.graphics-flat-xml fodg,
    vnd.oasis.opendocument.presentation-flat-xml fodp, vnd.oasis.opendocument.spreadsheet-flat-xml fods,
    vnd.oasis.opendocument.text-flat-xml fodt, vnd.palm prc, vnd.rn-realmedia rmj rmm rms rmvb rmx, vnd.smaf smaf,
    vnd.snap snap, vnd.sqlite3 sqlite3, vnd.squashfs sqsh, vnd.stardivision.chart sds, vnd.stardivision.impress sdp,
    vnd.stardivision.mail smd, vnd.stardivision.writer sgl, vnd.wordperfect wp wp4 wp5 wp6 wpp, vnd.youtube.yt yt,
    x-7z-compressed 7z.001, x-abiword abw.crashed abw.gz zabw, x-ace ace, x-alz alz, x-amiga-disk-format adf,
    x-amipro sam, x-aportisdoc pdb pdc, x-apple-systemprofiler+xml spx, x-appleworks-document cwk,
    x-applix-spreadsheet as, x-applix-word aw, x-archive a ar, x-asar asar, x-asp asp, x-awk awk, x-bat bat,
    x-bdoc bdoc, x-blender blender, x-bps-patch bps, x-bsdiff bsdiff, x-bzdvi dvi.bz2, x-bzip bz2,
    x-bzip-compressed-tar tar.bz tar.bz2 tb2 tbz tbz2, x-bzip1 bz, x-bzip1-compressed-tar tar.bz tbz,
    x-bzip2-compressed-tar tar.bz2 tb2 tbz2, x-bzip3 bz3, x-bzip3-compressed-tar tar.bz3 tbz3, x-bzpdf pdf.bz2,
    x-bzpostscript ps.bz2, x-cb7 cb7, x-cbt cbt, x-ccmx ccmx, x-cd-image iso iso9660, x-cdrdao-toc toc,
    x-cisco-vpn-settings pcf, x-compress z, x-compressed rar, x-compressed-iso cso, x-compressed-tar tar.gz tgz,
    x-core core, x-cpio-compressed cpio.gz, x-cue cue, x-dar dar, x-dbf dbf, x-designer ui, x-desktop desktop kdelnk,
    x-dia-diagram dia, x-dia-shape shape, x-docbook+xml dbk docbook, x-doom-wad wad, x-dosexec exe, x-e-theme etheme,
    x-egon egon, x-eris-link+cbor eris, x-excellon drl, x-fictionbook+xml fb2, x-fishscript fish, x-fluid fl,
    x-font-afm afm, x-font-pcf pcf.gz pcf.z, x-font-speedo spd, x-font-ttx ttx, x-font-type1 gsf, x-gdscript gd,
    x-gedcom ged gedcom, x-gerber-job gbrjob, x-gettext-translation gmo mo, x-glade glade, x-gnucash gnc gnucash xac,
    x-gnuplot gnuplot gp gplt, x-go-sgf sgf, x-graphite gra, x-gtk-builder ui, x-gz-font-linux-psf psf.gz,
    x-gzdvi dvi.gz, x-gzip gz, x-gzpdf pdf.gz, x-gzpostscript ps.gz, x-hdf h4 h5 hdf4 hdf5, x-hfe-floppy-image hfe,
    x-hwp hwp, x-hwt hwt, x-ica ica, x-ips-patch ips, x-iso9660-appimage appimage, x-it87 it87,
    x-iwork-keynote-sffkey key, x-iwork-numbers-sffnumbers numbers, x-iwork-pages-sffpages pages, x-java class,
    x-java-archive jar, x-java-jce-keystore jceks, x-java-keystore cacerts jks ks, x-java-pack200 pack,
    x-jbuilder-project jpr jpx, x-karbon karbon, x-kchart chrt, x-kexi-connectiondata kexic,
    x-kexiproject-shortcut kexis, x-kexiproject-sqlite2 kexi, x-kexiproject-sqlite3 kexi, x-kformula kfo,
    x-killustrator kil, x-kivio flw, x-kontour kon, x-kpovmodeler kpm, x-kpresenter kpr kpt, x-krita kra krz,
    x-kspread ksp, x-kugar kud, x-kword kwd kwt, x-lha lha lzh, x-lhz lhz, x-lmdb lmdb mdb, x-lrzip lrz,
    x-lrzip-compressed-tar tar.lrz tlrz, x-lyx lyx, x-lz4 lz4, x-lz4-compressed-tar tar.lz4, x-lzip lz,
    x-lzip-compressed-tar tar.lz, x-lzma lzma, x-lzma-compressed-tar tar.lzma tlz, x-lzop lzo, x-lzpdf pdf.lz, x-m4 m4,
    x-magicpoint mgp, x-markaby mab, x-mif mif, x-mimearchive mht mhtml, x-mobipocket-ebook prc,
    x-modrinth-modpack+zip mrpack, x-ms-dos-executable exe, x-ms-ne-executable cpl dll drv exe scr, x-ms-pdb pdb,
    x-ms-wim swm wim, x-msdownload cpl drv exe scr, x-msi msi, x-msmetafile emf wmf wmz, x-mswinurl url,
    x-navi-animation ani, x-netshow-channel nsc, x-nuscript nu, x-object mod o, x-oleo oleo,
    x-openvpn-profile openvpn ovpn, x-openzim zim, x-pagemaker p65 pm pm6 pmd, x-pak pak, x-par2 par2,
    x-partial-download crdownload part wkdownload, x-perf-data perf.data, x-perl al perl pod t,
    x-php php php3 php4 php5 phps, x-pilot pdb prc, x-planperfect pln, x-pocket-word psw, x-powershell ps1,
    x-profile gmon.out, x-pw pw, x-pyspread-bz-spreadsheet pys, x-pyspread-spreadsheet pysu, x-python-bytecode pyc pyo,
    x-qed-disk qed, x-qemu-disk qcow qcow2, x-qpress qp, x-qtiplot qti qti.gz, x-quattropro wb1 wb2 wb3,
    x-quicktime-media-link qtl, x-qw qif, x-rar rar, x-rar-compressed rar, x-raw-disk-image img raw-disk-image,
    x-raw-disk-image-xz-compressed img.xz raw-disk-image.xz, x-raw-floppy-disk-image fd qd, x-rpm rpm, x-ruby rb,
    x-sami sami smi, x-shared-library-la la, x-sharedlib so, x-shellscript sh, x-shorten shn, x-siag siag,
    x-source-rpm spm src.rpm, x-spss-por por, x-spss-sav sav zsav, x-sql sql, x-sqlite2 sqlite2, x-t602 602,
    x-tar gem gtar, x-tarz tar.z taz, x-tex-gf gf, x-tex-pk pk, x-tgif obj, x-theme theme, x-tiled-tmx tmx,
    x-tiled-tsx tsx, x-trash bak old sik, x-troff-man man, x-tzo tar.lzo tzo, x-ufraw ufraw, x-vdi-disk vdi,
    x-vhd-disk vhd vpc, x-vhdx-disk vhdx, x-vmdk-disk vmdk, x-windows-themepack themepack, x-wpg wpg, x-wwf wwf,
    x-x509-ca-cert cert, x-xar pkg xar, x-xbel xbel, x-xliff+xml xlf, x-xz-compressed-tar tar.xz txz, x-xzpdf pdf.xz,
    x-yaml yaml yml, x-zip-compressed zip, x-zip-compressed-fb2 fb2.zip, x-zoo zoo, x-zpaq zpaq,
    x-zstd-compressed-tar tar.zst tzst, xhtml+xml htm html, xliff+xml xliff, xml xbl, xml-external-parsed-entity ent,
    xslt+xml xsl, yaml yaml yml, zip zipx, zlib zz, zstd zst`,
  audio: `
    3gpp 3gpp, AMR amr, AMR-WB awb, aac ass m4a, ac3 ac3, annodex axa, flac flac, m4a m4a, mp2 mp2, mp3 mp3, mp4 f4a,
    mp4a-latm m4a, opus opus, prs.sid psid sid, usac loas xhe, vnd.audible.aax aax, vnd.audible.aaxc aaxc,
    vnd.rn-realaudio ra rax, vnd.wave wav, wave wav, x-aac aac, x-aifc aifc aiffc, x-amzxml amz, x-ape ape, x-dff dff,
    x-dsf dsf, x-flac+ogg oga ogg, x-gsm gsm, x-iriver-pla pla, x-it it, x-m4a m4a, x-m4b f4b m4b, x-m4r m4r,
    x-minipsf minipsf, x-mo3 mo3, x-mod 669 m15 med mod mtm ult uni, x-mpegurl m3u8 vlc, x-ms-asx asx wax wmx wvx,
    x-musepack mp+ mpc mpp, x-opus+ogg opus, x-pn-audibleaudio aa, x-psf psf, x-psflib psflib, x-realaudio ra,
    x-s3m s3m, x-scpls pls, x-speex spx, x-speex+ogg oga ogg spx, x-stm stm, x-tak tak, x-tta tta, x-voc voc,
    x-vorbis+ogg oga ogg, x-wav wav, x-wavpack wv wvp, x-wavpack-correction wvc, x-xi xi, x-xm xm, x-xmf xmf`,
  chemical: `
    x-pdb brk pdb`,
  image: `
    apng png, astc astc, avif avifs, heif heic hif, jpeg jfif, jpg jpeg jpg, jxr hdp wdp, openraster ora,
    pjpeg jpeg jpg, qoi qoi, rle rle, svg+xml-compressed svg.gz svgz, vnd.djvu+multipage djv djvu, vnd.dvb.subtitle sub,
    vnd.rn-realpix rp, x-applix-graphics ag, x-bzeps eps.bz2 epsf.bz2 epsi.bz2, x-canon-cr2 cr2, x-canon-cr3 cr3,
    x-canon-crw crw, x-compressed-xcf xcf.bz2 xcf.gz, x-dds dds, x-eps eps epsf epsi, x-exr exr, x-fuji-raf raf,
    x-gimp-gbr gbr, x-gimp-gih gih, x-gimp-pat pat, x-gzeps eps.gz epsf.gz epsi.gz, x-icns icns, x-icon ico,
    x-ilbm iff ilbm lbm, x-jp2-codestream j2c j2k jpc, x-kodak-dcr dcr, x-kodak-k25 k25, x-kodak-kdc kdc,
    x-lwo lwo lwob, x-lws lws, x-macpaint pntg, x-minolta-mrw mrw, x-ms-bmp bmp, x-msod msod, x-nikon-nef nef,
    x-nikon-nrw nrw, x-olympus-orf orf, x-panasonic-rw raw, x-panasonic-rw2 rw2, x-pcx pcx, x-pentax-pef pef,
    x-photo-cd pcd, x-pict pict pict1 pict2, x-png png, x-quicktime qif qtif, x-sgi sgi, x-sigma-x3f x3f,
    x-skencil sk sk1, x-sony-arw arw, x-sony-sr2 sr2, x-sony-srf srf, x-sun-raster sun, x-tga icb tpic vda vst,
    x-win-bitmap cur, x-xcf xcf, x-xfig fig`,
  message: `
    x-gnu-rmail rmail`,
  model: `
    vnd.mts mts, vrml vrm, x3d+binary x3db, x3d+vrml x3dv`,
  text: `
    calendar vcs, csv-schema csvs, javascript jsm, jscript.encode jse, julia jl, markdown mkd, org org, plain asc,
    rtf rtf, rust rs, spreadsheet slk sylk, tcl tcl tk, vbscript vbs, vbscript.encode vbe, vcard gcrd vcf vct,
    vnd.familysearch.gedcom gedcom, vnd.graphviz dot, vnd.rn-realtext rt, vnd.senx.warpscript mc2,
    vnd.trolltech.linguist ts, x-adasrc adb ads, x-authors authors, x-basic bas, x-bibtex bib, x-blueprint blp,
    x-c++hdr h++ hh hp hpp hxx, x-c++src c c++ cc cpp cxx, x-changelog changelog, x-chdr h,
    x-cmake cmake cmakelists.txt, x-cobol cbl cob, x-common-lisp asd fasl lisp ros, x-copying copying,
    x-credits credits, x-crystal cr, x-csharp cs, x-csrc c, x-dart dart, x-dbus-service service, x-dcl dcl,
    x-devicetree-binary dtb, x-devicetree-source dts dtsi, x-dsl dsl, x-dsrc d di, x-eiffel e eif, x-elixir ex exs,
    x-emacs-lisp el, x-erlang erl, x-fortran f95, x-gcode-gx gx, x-genie gs, x-gettext-translation po,
    x-gettext-translation-template pot, x-gherkin feature, x-go go, x-google-video-pointer gvp, x-gradle gradle,
    x-groovy groovy gsh gvy gy, x-haskell hs, x-iMelody ime imy, x-idl idl, x-install install, x-iptables iptables,
    x-java java, x-kaitai-struct ksy, x-kotlin kt, x-ldif ldif, x-lilypond ly, x-literate-haskell lhs, x-log log,
    x-makefile gnumakefile mak makefile mk, x-markdown md, x-matlab m, x-maven+xml pom.xml settings.xml,
    x-meson meson.build meson_options.txt, x-microdvd sub, x-moc moc, x-modelica mo, x-mof mof, x-mpl2 mpl, x-mpsub sub,
    x-mrml mrl mrml, x-ms-regedit reg, x-mup mup not, x-nim nim, x-nimscript nimble nims, x-objc++src mm, x-objcsrc m,
    x-ocaml ml mli, x-ocl ocl, x-ooc ooc, x-opencl-src cl, x-opml+xml opml, x-org org, x-patch diff patch,
    x-python py pyx wsgi, x-python3 py py3 py3x pyi, x-qml qml qmlproject qmltypes, x-readme readme, x-reject rej,
    x-rpm-spec spec, x-rst rst, x-sagemath sage, x-scala sc scala, x-scheme scm ss, x-scons sconscript sconstruct,
    x-ssa ass ssa, x-subviewer sub, x-svhdr svh, x-svsrc sv,
    x-systemd-unit automount device mount path scope service slice socket swap target timer,
    x-tex cls dtx ins latex ltx sty tex, x-texinfo texi texinfo, x-todo-txt todo.txt, x-troff-me me, x-troff-mm mm,
    x-troff-ms ms, x-twig twig, x-txt2tags t2t, x-typst typ, x-uil uil, x-uuencode uue, x-vala vala vapi, x-vb vb,
    x-verilog v, x-vhdl vhd vhdl, x-xmi xmi, x-xslfo fo xslfo, x.gcode gcode, xml xml`,
  video: `
    3gpp 3ga, 3gpp2 3gp2 3gpp2, annodex axv, dv dv, jpm jpgm jpm, matroska mkv, mp2t bdm bdmv clpi cpi mpl mpls,
    mp4 f4v lrv m4v, mpeg mp2 vob, ogg ogg, quicktime moov qtvr, vnd.avi avf avi divx, vnd.mpegurl m1u,
    vnd.radgamettools.bink bik bk2, vnd.radgamettools.smacker smk, vnd.rn-realvideo rv rvx, vnd.vivo vivo,
    vnd.youtube.yt yt, x-flic flc fli, x-javafx fxm, x-matroska-3d mk3d, x-mjpeg mjpeg mjpg, x-msvideo avf divx,
    x-nsv nsv, x-ogm+ogg ogm, x-theora+ogg ogg`,
  'x-epoc': `
    x-sisx-app sisx`,
};

let byEnding: Map<string, string[]> | undefined;

/** Read at the first use, since few processes need it. */
function readTable(): Map<string, string[]> {
  const types = new Map<string, string[]>();
  for (const [group, entries] of Object.entries(table)) {
    for (const entry of entries.split(',')) {
      const [subtype, ...endings] = entry.trim().split(/\s+/);
      for (const ending of endings) types.set(ending, [...(types.get(ending) ?? []), `${group}/${subtype}`]);
    }
  }
  return types;
}

/** The types that other tables have for a file's name, with or without an extension, at most 24. */
export function otherTypesOf(name: string): string[] {
  byEnding ??= readTable();
  const file = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const parts = file.split('.');
  const endings = new Set([file, parts.slice(-2).join('.'), parts.at(-1) ?? '', parts[0] ?? '']);
  return [...endings].flatMap((ending) => byEnding?.get(ending) ?? []);
}
