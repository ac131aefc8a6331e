; FAT32 partition boot record of a Stickpress stick: loads \bootmgr.
;
; Entered at 0:7C00 with the BIOS drive number in DL. It finds BOOTMGR in the root
; directory of its own volume, follows its cluster chain, loads the file to
; 2000:0000 and jumps there, the way Windows's own boot record does:
;   DL        = the BIOS drive number, also stored at 7C40 (BS_DrvNum)
;   0:7C00    = this boot sector with its BPB; the boot manager reads the hidden
;               sectors (7C1C) to find the partition that it came from
;   BP        = 7C00;  DS, ES, SS = 0;  SP just below 7C00
;
; Two sectors: sector 0 of the volume (bytes 0-2 and 90-511; 3-89 are the OEM name
; and the BPB, which belong to the formatter) and sector 2, the third of the
; three sectors that FAT32 sets aside for boot code (sector 1 is FSInfo). Their
; backup copies are at BPB_BkBootSec and BPB_BkBootSec + 2.
;
; Memory:
;   stack         below 7C00; disk-address packets live there, never in a buffer
;                 being read into (that hangs SeaBIOS)
;   7C00 - 7FFF   the two sectors
;   8000 - 81FF   one sector of the FAT
;   8200 - 83FF   one sector of the root directory
;   20000 -       the file; each read is at most 32 KiB and starts at a segment's
;                 offset 0, so none wraps a segment or a 64 KiB DMA page
;
; Build: nasm -f bin -o fat32.bin fat32.asm  (1024 bytes: sector 0, sector 2)

        bits    16
        cpu     386
        org     0x7c00

; The BPB, relative to BP = 7C00 (Microsoft FAT specification 1.03, section 3).
%define SECTORS_PER_CLUSTER     byte  [bp + 13]
%define RESERVED_SECTORS        word  [bp + 14]
%define FAT_COUNT               byte  [bp + 16]
%define HIDDEN_SECTORS          dword [bp + 28]
%define SECTORS_PER_FAT         dword [bp + 36]
%define EXT_FLAGS               byte  [bp + 40]
%define ROOT_CLUSTER            dword [bp + 44]
%define DRIVE                   byte  [bp + 64]

FAT_BUFFER      equ     0x8000
DIR_BUFFER      equ     0x8200
LOAD_SEGMENT    equ     0x2000
MAX_SECTORS     equ     64              ; sectors of one read: 32 KiB
SECOND_SECTOR   equ     2               ; where part two lies on the volume
TRIES           equ     4

start:
        jmp     short main
        nop
        times   90 - ($ - $$) db 0      ; OEM name and BPB: the volume's own

main:
        cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, start
        sti
        cld
        mov     ds, ax
        mov     es, ax
        mov     bp, start
        jmp     0:.here                 ; some start us as 07C0:0000
.here:
        mov     DRIVE, dl

        mov     ah, 0x41
        mov     bx, 0x55aa
        int     0x13
        mov     si, msg_lba
        jc      fail
        cmp     bx, 0xaa55
        jne     fail
        test    cl, 1
        jz      fail

        mov     eax, HIDDEN_SECTORS
        add     eax, SECOND_SECTOR
        mov     bx, second
        mov     cx, 1
        call    read
        mov     si, msg_hidden
        cmp     dword [second], MAGIC
        jne     fail
        cmp     word [second + 510], 0xaa55
        jne     fail
        jmp     part_two

; read CX sectors from LBA EAX to ES:BX. Changes nothing. Does not return on error.
read:
        pushad
        mov     di, TRIES
.try:
        push    dword 0                 ; the packet, from its end
        push    eax
        push    es
        push    bx
        push    cx
        push    word 16
        mov     si, sp
        pushad
        push    es
        mov     ah, 0x42
        mov     dl, DRIVE
        int     0x13
        pop     es
        popad
        lea     sp, [esp + 16]          ; keeps the carry flag
        jnc     .done
        pushad
        xor     ah, ah                  ; reset the drive
        mov     dl, DRIVE
        int     0x13
        popad
        dec     di
        jnz     .try
        mov     si, msg_read
        jmp     short fail
.done:
        popad
        ret

; fail says why (DS:SI), waits for a key and lets the BIOS try again.
fail:
        push    si
        mov     si, msg_prefix
        call    print
        pop     si
        call    print
        mov     si, msg_key
        call    print
        xor     ah, ah
        int     0x16
        int     0x19
.halt:
        hlt
        jmp     short .halt

print:
        lodsb
        test    al, al
        jz      .end
        mov     ah, 0x0e
        mov     bx, 7
        int     0x10
        jmp     short print
.end:
        ret

msg_prefix      db 13, 10, "Stickpress: ", 0
msg_lba         db "this BIOS cannot read by LBA", 0
msg_read        db "cannot read the stick", 0
msg_hidden      db "boot sector and partition do not match", 0
msg_missing     db "\bootmgr is missing", 0
msg_chain       db "\bootmgr is damaged", 0
msg_memory      db "\bootmgr is too large", 0
msg_key         db 13, 10, "Press a key to restart.", 13, 10, 0

        times   510 - ($ - $$) db 0
        dw      0xaa55

; ---------------------------------------------------------------- second sector

MAGIC           equ     "SPB2"

second:
        dd      MAGIC

part_two:
        mov     dword [cached], -1

        ; FAT and data area as absolute LBAs
        movzx   eax, RESERVED_SECTORS
        add     eax, HIDDEN_SECTORS
        mov     [fat_start], eax
        movzx   ecx, FAT_COUNT
        imul    ecx, SECTORS_PER_FAT
        add     ecx, eax
        mov     [data_start], ecx
        test    EXT_FLAGS, 0x80         ; mirroring off: bits 0-3 name the live FAT
        jz      .mirrored
        movzx   eax, EXT_FLAGS
        and     al, 0x0f
        imul    eax, SECTORS_PER_FAT
        add     [fat_start], eax
.mirrored:

        ; look for the file, one directory sector at a time
        mov     eax, ROOT_CLUSTER
.dir_cluster:
        push    eax
        call    to_lba
        movzx   dx, SECTORS_PER_CLUSTER
.dir_sector:
        mov     bx, DIR_BUFFER
        mov     cx, 1
        call    read
        mov     si, DIR_BUFFER
.dir_entry:
        cmp     byte [si], 0            ; no entry was ever used from here on
        je      missing
        test    byte [si + 11], 0x18    ; label, long-name part or directory
        jnz     .skip
        pusha
        mov     di, file_name
        mov     cx, 11
        repe    cmpsb
        popa
        je      found
.skip:
        add     si, 32
        cmp     si, DIR_BUFFER + 512
        jb      .dir_entry
        inc     eax
        dec     dx
        jnz     .dir_sector
        pop     eax
        call    next
        jc      missing
        jmp     short .dir_cluster

found:
        mov     edi, [si + 28]          ; bytes
        add     edi, 511
        jc      too_large
        shr     edi, 9                  ; sectors still to read
        jz      damaged

        ; does it fit below the memory that the BIOS keeps (INT 12h, in KiB)?
        int     0x12
        movzx   eax, ax
        shl     eax, 1
        sub     eax, LOAD_SEGMENT >> 5  ; sectors from 20000 to there
        cmp     edi, eax
        ja      too_large

        push    word [si + 20]          ; first cluster: high word, low word
        push    word [si + 26]
        pop     eax
        mov     bx, LOAD_SEGMENT
        mov     es, bx
        xor     bx, bx
        cmp     eax, 2
        jb      damaged
.cluster:
        push    eax
        call    to_lba
        movzx   edx, SECTORS_PER_CLUSTER
.piece:
        mov     ecx, MAX_SECTORS        ; the least of: one read, this cluster, the file
        cmp     ecx, edx
        jbe     .within_cluster
        mov     ecx, edx
.within_cluster:
        cmp     ecx, edi
        jbe     .within_file
        mov     ecx, edi
.within_file:
        call    read
        add     eax, ecx
        sub     edx, ecx
        sub     edi, ecx
        jz      loaded
        shl     cx, 5                   ; paragraphs
        mov     si, es
        add     si, cx
        mov     es, si
        test    edx, edx
        jnz     .piece
        pop     eax
        call    next
        jc      damaged
        jmp     short .cluster

loaded:
        xor     ax, ax
        mov     es, ax
        mov     sp, start
        mov     dl, DRIVE
        jmp     LOAD_SEGMENT:0

missing:
        mov     si, msg_missing
        jmp     fail
damaged:
        mov     si, msg_chain
        jmp     fail
too_large:
        mov     si, msg_memory
        jmp     fail

; to_lba turns cluster EAX into its first sector's LBA.
to_lba:
        push    ecx
        sub     eax, 2
        movzx   ecx, SECTORS_PER_CLUSTER
        imul    eax, ecx
        add     eax, [data_start]
        pop     ecx
        ret

; next replaces cluster EAX by its successor; carry set: there is none.
next:
        push    es
        pushad
        push    word 0
        pop     es
        mov     si, ax
        and     si, 127                 ; entry within its sector of the FAT
        shl     si, 2
        shr     eax, 7
        cmp     eax, [cached]
        je      .hit
        mov     [cached], eax
        add     eax, [fat_start]
        mov     bx, FAT_BUFFER
        mov     cx, 1
        call    read
.hit:
        mov     eax, [FAT_BUFFER + si]
        and     eax, 0x0fffffff         ; the top four bits are reserved
        mov     [following], eax
        popad
        pop     es
        mov     eax, [following]
        cmp     eax, 2
        jb      .end
        cmp     eax, 0x0ffffff7         ; bad-cluster mark, then end marks
        cmc
.end:
        ret

file_name       db "BOOTMGR    "

        times   1022 - ($ - $$) db 0
        dw      0xaa55

; variables, behind the code and before the buffers' first use would reach them
        absolute 0x8400
fat_start       resd    1               ; LBA of the FAT in use
data_start      resd    1               ; LBA of cluster 2
cached          resd    1               ; FAT sector that FAT_BUFFER holds
following       resd    1
